//! What configuration names and is not there.

use super::*;

#[test]
fn an_environment_that_contradicts_itself_is_a_difference_although_all_agree() {
    let named = [
        "references:path:/srv/key.pem=nothing there",
        "references:host:db=resolves",
    ];
    let staging = World::new("staging").web(2, &named);
    let production = World::new("production").web(2, &named);
    let found = compare(production.env(), &[staging.env()], &[]);
    let says: Vec<&str> = found
        .differences
        .iter()
        .map(|of| of.says.as_str())
        .collect();
    assert_eq!(
        says,
        [
            "the configuration of production names path /srv/key.pem, which is not there (web1 and web2)",
            "the configuration of staging names path /srv/key.pem, which is not there (web1 and web2)",
        ]
    );
    assert_eq!(found.differences[0].kind, Kind::Contradiction);
    assert_eq!(
        found.differences[0].names,
        ["web1", "web2", "references:path:/srv/key.pem"]
    );

    // One cause is one row: neither the sibling that has it nor the other
    // environment says it again.
    let fact = "references:path:/srv/key.pem";
    let staging = staging
        .set("web1", fact, "there")
        .set("web2", fact, "there");
    let production = production.set("web2", fact, "there");
    let found = compare(production.env(), &[staging.env()], &[]);
    assert_eq!(only(&found).names, ["web1", fact]);

    let rule = Rule {
        pattern: "references:*".to_owned(),
        is: Is::Present,
    };
    let found = compare(production.env(), &[staging.env()], &[rule]);
    assert!(found.is_equal() && !found.excused.is_empty());
}

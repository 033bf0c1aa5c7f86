//! `when:` conditions, in CEL (<https://cel.dev>), over `environment`,
//! `release`, `vars` and `outputs`.

use std::collections::BTreeMap;

use crate::handoff::plan::Plan;

/// Whether the condition holds.
///
/// # Errors
/// Says in words why it cannot be evaluated, or that it is not true or false.
pub fn holds(
    condition: &str,
    plan: &Plan,
    outputs: &BTreeMap<String, String>,
) -> Result<bool, String> {
    let program = cel::Program::compile(condition)
        .map_err(|error| format!("`when: {condition}` cannot be read: {error}"))?;
    let mut context = cel::Context::default();
    let release = BTreeMap::from([
        ("version", plan.contract.release.version.value.as_str()),
        ("name", plan.contract.name.value.as_str()),
    ]);
    let set = [
        context
            .add_variable("environment", plan.environment.as_str())
            .is_ok(),
        context.add_variable("release", &release).is_ok(),
        context.add_variable("vars", &plan.place().vars).is_ok(),
        context.add_variable("outputs", outputs).is_ok(),
    ];
    debug_assert_eq!(set, [true; 4], "maps of text are CEL values");
    match program.execute(&context) {
        Ok(cel::Value::Bool(holds)) => Ok(holds),
        Ok(_) => Err(format!("`when: {condition}` is neither true nor false")),
        Err(error) => Err(format!("`when: {condition}` cannot be evaluated: {error}")),
    }
}

use proptest::prelude::*;

use super::*;

fn of(layer: &str, tool: &str, text: &str) -> Vec<String> {
    let read = read(layer, tool, text).unwrap();
    let mut found: Vec<String> = read
        .facts
        .iter()
        .map(|(name, fact)| format!("{name}={}", fact.value.text().unwrap()))
        .collect();
    found.sort();
    if read.odd > 0 {
        found.push(format!("odd {}", read.odd));
    }
    found
}

#[test]
fn packages_of_three_families() {
    let deb = "libc6\tamd64\t2.36-9\nlibc6\ti386\t2.36-9\nzlib1g\tamd64\t1:1.2.13\nnonsense\n";
    assert_eq!(
        of("packages", "deb", deb),
        [
            "packages:libc6=amd64 2.36-9, i386 2.36-9",
            "packages:zlib1g=1:1.2.13",
            "odd 1"
        ]
    );
    // Recorded from Rocky Linux 9: rpm -qa, one key without architecture.
    let rpm = "gpg-pubkey\t(none)\t350d275d-6279464b\nbash\tx86_64\t5.1.8-9.el9\n";
    assert_eq!(
        of("packages", "rpm", rpm),
        [
            "packages:bash=5.1.8-9.el9",
            "packages:gpg-pubkey=350d275d-6279464b"
        ]
    );
    // Recorded from Alpine 3.20: apk info -v.
    let apk = "musl-1.2.5-r0\nca-certificates-bundle-20240705-r0\nWARNING: no index\n";
    assert_eq!(
        of("packages", "apk", apk),
        [
            "packages:ca-certificates-bundle=20240705-r0",
            "packages:musl=1.2.5-r0"
        ]
    );
    assert_eq!(
        of("packages", "held", "nginx\n"),
        ["packages:nginx#held=yes"]
    );
}

#[test]
fn kernel_and_process() {
    assert_eq!(
        of(
            "sysctl",
            "sysctl",
            "net.ipv4.tcp_rmem = 4096\t131072\t6291456\nvm.swappiness=60\n"
        ),
        [
            "sysctl:net.ipv4.tcp_rmem=4096 131072 6291456",
            "sysctl:vm.swappiness=60"
        ]
    );
    let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                  Max open files            1024                 1048576              files     \n";
    assert_eq!(
        of("limits", "limits", limits),
        [
            "limits:Max open files#hard=1048576",
            "limits:Max open files#soft=1024"
        ]
    );
    assert_eq!(
        of("locale", "pairs", "LANG=C.UTF-8\nLC_ALL=\n"),
        ["locale:LANG=C.UTF-8"]
    );
    assert_eq!(
        of("locale", "known", "C.utf8\n"),
        ["locale:known/C.UTF-8=yes"]
    );
}

#[test]
fn people_and_services() {
    let passwd = "root:x:0:0:root:/root:/bin/bash\nbroken\n";
    let found = of("users", "passwd", passwd);
    assert_eq!(found[0], "users:root#gid=0");
    assert_eq!(found[1], "users:root#home=/root");
    assert_eq!(found[3..], ["users:root=/bin/bash", "odd 1"]);
    assert_eq!(
        of("users", "group", "adm:x:4:z,a\n")[1],
        "users:group/adm=a,z"
    );
    assert_eq!(
        of("services", "units", "cron.service   enabled  enabled\n"),
        ["services:cron.service=enabled"]
    );
    let cron = "/etc/crontab\t# m h\n/etc/crontab\t17 *  * * * root run-parts\n";
    assert_eq!(
        of("services", "cron", cron),
        ["services:cron//etc/crontab/1=17 * * * * root run-parts"]
    );
}

#[test]
fn the_network_and_the_disks() {
    let tcp = "  sl  local_address rem_address   st tx_queue\n   \
               0: 0100007F:1F90 00000000:0000 0A 0\n   1: 00000000:0016 00000000:0000 0A 0\n   \
               2: 0100007F:1F90 0100007F:9999 01 0\n\
               0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A\n\
               0: 0A00020F:0050 00000000:0000 0A 0\n 4: 00000000:F000 00000000:0000 0A 0\n";
    assert_eq!(
        of("listeners", "tcp", tcp),
        [
            "listeners:tcp/22=from anywhere",
            "listeners:tcp/61440=from anywhere",
            "listeners:tcp/8080=from this host",
            "listeners:tcp/80=at an address of its own",
        ]
    );
    let high = read("listeners", "tcp", tcp).unwrap().facts;
    assert_eq!(
        high.iter()
            .filter(|(_, fact)| fact.class == Class::Volatile)
            .count(),
        1
    );
    let mounts = "/dev/sda1 / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\n\
                  tmpfs /run tmpfs rw,nosuid,size=81k,mode=755 0 0\n";
    assert_eq!(
        of("mounts", "mounts", mounts),
        [
            "mounts:/#device=/dev/sda1",
            "mounts:/#options=relatime,rw",
            "mounts:/=ext4",
            "mounts:/run#device=tmpfs",
            "mounts:/run#options=nosuid,rw",
            "mounts:/run=tmpfs",
        ]
    );
    assert_eq!(
        of(
            "resolver",
            "conf",
            "# c\nnameserver 1.1.1.1\nnameserver 9.9.9.9\nsearch a\n"
        ),
        ["resolver:nameserver=1.1.1.1 9.9.9.9", "resolver:search=a"]
    );
    assert_eq!(
        of("resolver", "hosts", "127.0.0.1 localhost l # c\n").len(),
        2
    );
}

#[test]
fn schemas() {
    let text =
        "[\"table\",\"orders\",\"CREATE TABLE\\n orders (id)\"]\n[\"migration\",\"7\",null]\nx\n";
    assert_eq!(
        of("sqlite", "0", text),
        [
            "sqlite:migration/7=yes",
            "sqlite:table/orders=CREATE TABLE orders (id)",
            "odd 1"
        ]
    );
    assert_eq!(
        of(
            "postgres",
            "1",
            r#"["table","a.b","bigint  not null","column/id"]"#
        ),
        ["postgres:1/table/a.b#column/id=bigint not null"]
    );
}

#[test]
fn names_and_what_configuration_names() {
    assert_eq!(
        of("dns", "names", "db\t10.0.0.5 10.0.0.4 ::1 \nno\t\nbroken\n"),
        [
            "dns:db#addresses=10.0.0.4 10.0.0.5 ::1",
            "dns:db=private, version 4 and this host",
            "dns:no=not known",
            "odd 1"
        ]
    );
    assert_eq!(
        of(
            "references",
            "found",
            "path\t/srv/a\tthere\tapp.toml\nsecret\tx\ty\tz\npath\t/b\n"
        ),
        [
            "references:path:/srv/a#in=app.toml",
            "references:path:/srv/a=there",
            "odd 2"
        ]
    );
}

#[test]
fn a_process_tells_of_the_variables_that_were_asked_for_only() {
    let env = [crate::parity::Pattern::new("APP_*").unwrap()];
    let text = "running\tyes\nuser\tshop\nenv\tAPP_MODE=a=b\nenv\tOTHER=1\nenv\tno variable\n\
                limit\tMax open files            1024                 524288               files\nodd\n";
    let read = process("shop", &env, text);
    let mut found: Vec<String> = read
        .facts
        .iter()
        .map(|(name, fact)| format!("{name}={}", fact.value.text().unwrap()))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "process:shop#/env/APP_MODE=a=b",
            "process:shop#/limits/Max open files/hard=524288",
            "process:shop#/limits/Max open files/soft=1024",
            "process:shop#/user=shop",
            "process:shop=yes",
        ]
    );
    assert_eq!(read.odd, 1);
}

proptest! {
    #[test]
    fn any_output_of_any_tool_is_read(text in "[ -~\t\n]{0,200}") {
        for (layer, tool) in [
            ("packages", "deb"), ("packages", "apk"), ("packages", "held"), ("runtimes", "versions"),
            ("sysctl", "sysctl"), ("limits", "limits"), ("limits", "machine"), ("locale", "known"),
            ("users", "passwd"), ("users", "group"), ("services", "units"), ("services", "cron"),
            ("mounts", "mounts"), ("listeners", "tcp"), ("resolver", "conf"), ("resolver", "hosts"),
            ("sqlite", "1"), ("postgres", "0"), ("dns", "names"), ("references", "found"),
        ] {
            for (name, _) in read(layer, tool, &text).unwrap().facts {
                prop_assert_eq!(name.layer(), layer);
            }
        }
        let env = [crate::parity::Pattern::new("*").unwrap()];
        for (name, _) in process("shop", &env, &text).facts {
            prop_assert_eq!(name.thing(), "process:shop");
        }
    }
}

//! The kinds of faults.

use crate::world::World;
use Put::{Do, File, Lose, Print, Say, Set};

/// One fault.
pub(crate) struct Fault {
    /// What kind of thing it is in.
    pub(crate) layer: &'static str,
    /// The fact that must show it, as a pattern.
    pub(crate) shows: &'static str,
    put: Put,
}

/// How a fault is put in.
enum Put {
    /// A fact of the machine has this value.
    Set(&'static str, &'static str),
    /// There is no such fact of the machine.
    Lose(&'static str),
    /// In a file, one text stands for another.
    File(&'static str, &'static str, &'static str),
    /// The same in what a tool printed of a layer.
    Print(&'static str, &'static str, &'static str),
    /// The same in what a command printed.
    Say(&'static str, &'static str, &'static str),
    Do(fn(&mut World)),
}

impl Fault {
    pub(crate) fn put(&self, world: &mut World) {
        match self.put {
            Set(name, value) => world.set(name, value),
            Lose(name) => world.lose(name),
            File(file, old, new) => world.edit(file, old, new),
            Print(layer, old, new) => world.reprint(layer, old, new),
            Say(id, old, new) => world.resay(id, old, new),
            Do(put) => put(world),
        }
        if matches!(self.put, File(..) | Do(_)) {
            world.touched();
        }
    }
}

const fn fault(layer: &'static str, shows: &'static str, put: Put) -> Fault {
    Fault { layer, shows, put }
}

pub(crate) fn all() -> impl Iterator<Item = &'static Fault> {
    MACHINE.iter().chain(&TEXTS).chain(&SERVICES)
}

static MACHINE: [Fault; 33] = [
    fault("os", "os:release", Set("os:release", "debian 11")),
    fault("os", "os:arch", Set("os:arch", "aarch64")),
    fault("kernel", "os:kernel", Set("os:kernel", "Linux 4.19.0")),
    fault(
        "sysctl",
        "sysctl:vm.overcommit_memory",
        Set("sysctl:vm.overcommit_memory", "2"),
    ),
    fault(
        "sysctl",
        "sysctl:net.core.somaxconn",
        Lose("sysctl:net.core.somaxconn"),
    ),
    fault(
        "packages",
        "packages:libshop",
        Set("packages:libshop", "3.0.1-1"),
    ),
    fault(
        "packages",
        "packages:postgresql-client",
        Lose("packages:postgresql-client"),
    ),
    fault(
        "packages",
        "packages:telnetd",
        Set("packages:telnetd", "0.17-44"),
    ),
    fault(
        "packages",
        "packages:openssl#held",
        Set("packages:openssl#held", "yes"),
    ),
    fault(
        "runtimes",
        "runtimes:java",
        Set("runtimes:java", "openjdk version 11.0.2"),
    ),
    fault("runtimes", "runtimes:node", Lose("runtimes:node")),
    fault(
        "runtimes",
        "runtimes:openssl",
        Set("runtimes:openssl", "OpenSSL 1.1.1w"),
    ),
    fault(
        "limits",
        "limits:Max open files#soft",
        Set("limits:Max open files#soft", "64"),
    ),
    fault(
        "cgroup",
        "limits:cgroup/memory.max",
        Set("limits:cgroup/memory.max", "134217728"),
    ),
    fault(
        "limits",
        "limits:memory_kib",
        Set("limits:memory_kib", "262144"),
    ),
    fault("locale", "locale:LANG", Set("locale:LANG", "C")),
    fault(
        "locale",
        "locale:known/cs_CZ.UTF-8",
        Lose("locale:known/cs_CZ.UTF-8"),
    ),
    fault("time", "time:zone", Set("time:zone", "America/New_York")),
    fault("time", "time:zoneinfo", Set("time:zoneinfo", "2019a")),
    fault(
        "clock",
        "time:clock#off",
        Set("time:clock#off", "5m behind"),
    ),
    fault("users", "users:shop", Lose("users:shop")),
    fault("users", "users:shop#home", Set("users:shop#home", "/root")),
    fault(
        "groups",
        "users:group/docker",
        Set("users:group/docker", "shop"),
    ),
    fault(
        "services",
        "services:shop.service",
        Set("services:shop.service", "masked"),
    ),
    fault(
        "services",
        "services:backup.timer",
        Lose("services:backup.timer"),
    ),
    fault(
        "cron",
        "services:cron//etc/cron.d/shop/1",
        Set(
            "services:cron//etc/cron.d/shop/1",
            "0 3 * * * root /opt/shop/purge",
        ),
    ),
    fault(
        "cron",
        "services:cron//etc/cron.d/rotate/1",
        Lose("services:cron//etc/cron.d/rotate/1"),
    ),
    fault(
        "listeners",
        "listeners:tcp/8443",
        Lose("listeners:tcp/8443"),
    ),
    fault(
        "listeners",
        "listeners:tcp/6379",
        Set("listeners:tcp/6379", "from anywhere"),
    ),
    fault(
        "mounts",
        "mounts:/srv/data#options",
        Set("mounts:/srv/data#options", "noatime,ro"),
    ),
    fault("mounts", "mounts:/srv/data", Lose("mounts:/srv/data")),
    fault(
        "resolver",
        "resolver:hosts/db.internal",
        Lose("resolver:hosts/db.internal"),
    ),
    fault(
        "resolver",
        "resolver:options",
        Set("resolver:options", "ndots:5"),
    ),
];

static TEXTS: [Fault; 31] = [
    fault(
        "env",
        "env:APP_MODE",
        Do(|w| {
            let _old = w.vars.insert("APP_MODE".to_owned(), "debug".to_owned());
        }),
    ),
    fault(
        "env",
        "env:MAIL_HOST",
        Do(|w| {
            let _old = w.vars.remove("MAIL_HOST");
        }),
    ),
    fault(
        "env",
        "env:API_URL",
        Do(|w| {
            let _old = w.vars.insert(
                "API_URL".to_owned(),
                "http://staging.shop.invalid/api".to_owned(),
            );
        }),
    ),
    fault(
        "secrets",
        "env:API_TOKEN",
        Do(|w| {
            let _old = w.secrets.remove("API_TOKEN");
        }),
    ),
    fault(
        "secrets",
        "env:DB_URL",
        Do(|w| {
            let _old = w.secrets.insert(
                "DB_URL".to_owned(),
                "postgres://shop:staging-1@db/shop".to_owned(),
            );
        }),
    ),
    fault(
        "toml",
        "files:app.toml#/db/host",
        File(
            "app.toml",
            r##"host = "db.internal""##,
            r##"host = "db.staging""##,
        ),
    ),
    fault(
        "toml",
        "files:app.toml#/workers",
        File("app.toml", "workers = 4", "workers = 0"),
    ),
    fault(
        "toml",
        "files:app.toml#/db/pool",
        File("app.toml", "pool = 10", "pol = 10"),
    ),
    fault("toml", "files:app.toml*", File("app.toml", "[db]", "[db")),
    fault(
        "yaml",
        "files:app.yaml#/features/checkout",
        File("app.yaml", "checkout: true", "checkout: false"),
    ),
    fault(
        "yaml",
        "files:app.yaml#/timeout",
        File("app.yaml", "timeout: 30s", "timeout: 30ms"),
    ),
    fault(
        "yaml",
        "files:app.yaml#/queues/mail/retries",
        File("app.yaml", "retries: 3", "retries: three"),
    ),
    fault(
        "yaml",
        "files:app.yaml#/site",
        File("app.yaml", "site: shop-production", "site: shop-other"),
    ),
    fault(
        "json",
        "files:app.json#/limits/upload",
        File(
            "app.json",
            r##""upload": "10MiB""##,
            r##""upload": "1MiB""##,
        ),
    ),
    fault(
        "json",
        "files:app.json#/auth/password",
        File("app.json", r##""right""##, r##""wrong""##),
    ),
    fault(
        "ini",
        "files:php.ini#/PHP/memory_limit",
        File("php.ini", "memory_limit = 512M", "memory_limit = 128M"),
    ),
    fault(
        "properties",
        "files:kafka.properties#*",
        File("kafka.properties", "acks=all", "acks=0"),
    ),
    fault(
        "dotenv",
        "files:.env.app#/SMTP_PORT",
        File(".env.app", "SMTP_PORT=587", "SMTP_PORT=25"),
    ),
    fault(
        "xml",
        "files:core.xml#*",
        File("core.xml", "hdfs://name:9000", "file:///"),
    ),
    fault(
        "template",
        "files:app.yaml#/mail/from",
        File("app.yaml", "from: shop@shop.example", "from: '@MAIL_FROM@'"),
    ),
    fault("tree", "files:notes.txt", File("notes.txt", "two", "three")),
    fault(
        "tree",
        "files:extra.conf",
        Do(|w| {
            let _old = w.files.insert("extra.conf", "x".to_owned());
        }),
    ),
    fault(
        "tree",
        "files:notes.txt",
        Do(|w| {
            let _old = w.files.remove("notes.txt");
        }),
    ),
    fault(
        "permissions",
        "files:run#mode",
        Do(|w| {
            w.shell.push_str("chmod 644 run\n");
        }),
    ),
    fault(
        "permissions",
        "files:keys/tls.pem#mode",
        Do(|w| {
            w.shell.push_str("chmod 666 keys/tls.pem\n");
        }),
    ),
    fault(
        "links",
        "files:current",
        Do(|w| {
            w.shell.push_str("ln -sfn releases/2.3 current\n");
        }),
    ),
    fault(
        "locks",
        "files:locks/Cargo.lock#*serde*",
        File(
            "locks/Cargo.lock",
            r##"version = "1.0.200""##,
            r##"version = "0.9.1""##,
        ),
    ),
    fault(
        "locks",
        "files:locks/package-lock.json#*",
        File(
            "locks/package-lock.json",
            r##""version": "4.18.2""##,
            r##""version": "5.0.0""##,
        ),
    ),
    fault(
        "sbom",
        "files:locks/sbom.json#*openssl*",
        Do(|w| {
            w.shell = w.shell.replace("3.0.11", "1.1.1");
        }),
    ),
    fault(
        "references",
        "references:path:/srv/baton-shop/none.pem",
        File(
            "app.yaml",
            "cert: /etc/hostname",
            "cert: /srv/baton-shop/none.pem",
        ),
    ),
    fault(
        "references",
        "references:port:1",
        File("app.yaml", "cache: 10.0.0.9:6379", "cache: localhost:1"),
    ),
];

static SERVICES: [Fault; 30] = [
    fault(
        "sqlite",
        "sqlite:table/orders",
        Do(|w| {
            w.sql = w.sql.replacen("total text", "total integer", 1);
        }),
    ),
    fault(
        "sqlite",
        "sqlite:index/by_total",
        Do(|w| {
            w.sql = w
                .sql
                .replacen("create index by_total on orders(total);", "", 1);
        }),
    ),
    fault(
        "sqlite",
        "sqlite:migration/7",
        Do(|w| {
            w.sql = w
                .sql
                .replacen("insert into schema_migrations values (7);", "", 1);
        }),
    ),
    fault(
        "sqlite",
        "sqlite:pragma/user_version",
        Do(|w| {
            w.sql = w.sql.replacen("user_version = 3", "user_version = 2", 1);
        }),
    ),
    fault(
        "sqlite",
        "sqlite:trigger/touched",
        Do(|w| {
            w.sql = w.sql.replacen(
                "create trigger touched after update on orders begin select 1; end;",
                "",
                1,
            );
        }),
    ),
    fault(
        "sqlite data",
        "sqlite:data/orders*",
        Do(|w| {
            w.sql = w.sql.replacen("'ten'", "'eleven'", 1);
        }),
    ),
    fault(
        "postgres",
        "postgres:table/public.orders#column/total",
        Print(
            "postgres",
            r##""bigint not null", "column/total""##,
            r##""integer", "column/total""##,
        ),
    ),
    fault(
        "postgres",
        "postgres:index/public.by_total",
        Print(
            "postgres",
            r##"["index", "public.by_total", "CREATE INDEX by_total"]
"##,
            "",
        ),
    ),
    fault(
        "postgres",
        "postgres:extension/pgcrypto",
        Print(
            "postgres",
            r##""pgcrypto", "1.3""##,
            r##""pgcrypto", "1.1""##,
        ),
    ),
    fault(
        "postgres",
        "postgres:migration/0042",
        Print(
            "postgres",
            r##"["migration", "0042", null]
"##,
            "",
        ),
    ),
    fault(
        "postgres",
        "postgres:setting/default_transaction_isolation",
        Print("postgres", "read committed", "serializable"),
    ),
    fault(
        "postgres",
        "postgres:role/shop",
        Print(
            "postgres",
            r##""shop", "login""##,
            r##""shop", "superuser login""##,
        ),
    ),
    fault(
        "postgres",
        "postgres:function/public.tax*",
        Print("postgres", "0.20", "0.21"),
    ),
    fault(
        "postgres",
        "postgres:table/public.orders#grants",
        Print("postgres", "reader=r", "reader=rw"),
    ),
    fault("dns", "dns:db", Print("dns", "db\t10.0.0.5", "db\t")),
    fault(
        "process",
        "process:shop",
        Print("process", "running\tyes", "running\tno"),
    ),
    fault(
        "process",
        "process:shop#/env/JAVA_OPTS",
        Print("process", "-Xmx4g", "-Xmx256m"),
    ),
    fault(
        "process",
        "process:shop#/user",
        Print("process", "user\tshop", "user\troot"),
    ),
    fault(
        "http",
        "http:health",
        Do(|w| {
            w.answer.0 = 503;
        }),
    ),
    fault(
        "http",
        "http:health#header/strict-transport-security",
        Do(|w| {
            w.answer.1.retain(|(name, _)| !name.starts_with("Strict"));
        }),
    ),
    fault(
        "http",
        "http:health#/db*",
        Do(|w| {
            w.answer.2 = r#"{"status": "ok"}"#.to_owned();
        }),
    ),
    fault(
        "tls",
        "http:health#tls/lasts",
        Do(|w| {
            w.answer.4 = 3;
        }),
    ),
    fault(
        "tls",
        "http:health#tls/issuer",
        Do(|w| {
            w.answer.3 = w.answer.3.replace("CN = E5", "CN = shop.example");
        }),
    ),
    fault(
        "tls",
        "http:health#tls/protocol",
        Do(|w| {
            w.answer.3 = w.answer.3.replace("TLSv1.3", "TLSv1.1");
        }),
    ),
    fault(
        "kubernetes",
        "command:kubectl#*image",
        Say("kubectl", "shop:2.4", "shop:2.3"),
    ),
    fault(
        "kubernetes",
        "command:kubectl#*livenessProbe*",
        Say(
            "kubectl",
            r##""livenessProbe": {"httpGet": {"port": 8080}}, "##,
            "",
        ),
    ),
    fault(
        "kubernetes",
        "command:kubectl#*memory",
        Say("kubectl", r##""memory": "512Mi""##, r##""memory": "64Mi""##),
    ),
    fault(
        "docker",
        "command:docker#*Privileged",
        Say(
            "docker",
            r##""Privileged": false"##,
            r##""Privileged": true"##,
        ),
    ),
    fault(
        "docker",
        "command:docker#*Image",
        Say("docker", "sha256:aaaa", "sha256:bbbb"),
    ),
    fault(
        "command",
        "command:version",
        Say("version", "shop 2.4.0", "shop 2.3.9"),
    ),
];

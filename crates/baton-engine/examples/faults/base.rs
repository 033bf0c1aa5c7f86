//! The environment that faults are put into. `ENV` stands for the name of the
//! environment: what is the place's own, as it is in a real one.

/// What not every machine has.
pub(crate) const MACHINE: [(&str, &str); 26] = [
    ("sysctl:vm.overcommit_memory", "0"),
    ("sysctl:net.core.somaxconn", "4096"),
    ("packages:libshop", "2.4.0-1"),
    ("packages:postgresql-client", "15+248"),
    ("packages:openssl", "3.0.15-1"),
    ("runtimes:java", "openjdk version 17.0.2"),
    ("runtimes:node", "v22.4.0"),
    ("runtimes:openssl", "OpenSSL 3.0.15"),
    ("limits:cgroup/memory.max", "4294967296"),
    ("limits:memory_kib", "16777216"),
    ("locale:LANG", "en_US.UTF-8"),
    ("locale:known/cs_CZ.UTF-8", "yes"),
    ("users:shop", "/usr/sbin/nologin"),
    ("users:shop#home", "/srv/shop"),
    ("services:shop.service", "enabled"),
    ("services:backup.timer", "enabled"),
    (
        "services:cron//etc/cron.d/rotate/1",
        "5 0 * * * root /usr/sbin/logrotate",
    ),
    (
        "services:cron//etc/cron.d/shop/1",
        "0 3 * * * shop /opt/shop/purge",
    ),
    ("users:group/docker", ""),
    ("resolver:hosts/db.internal", "10.0.0.5"),
    ("time:zone", "Europe/Prague"),
    ("time:zoneinfo", "2026a"),
    ("limits:Max open files#soft", "65536"),
    ("listeners:tcp/8443", "from anywhere"),
    ("mounts:/srv/data", "ext4"),
    ("mounts:/srv/data#options", "noatime,rw"),
];

pub(crate) const FILES: [(&str, &str); 12] = [
    (
        "app.toml",
        "workers = 4\n[db]\nhost = \"db.internal\"\npool = 10\n",
    ),
    (
        "app.yaml",
        "site: shop-ENV\ntimeout: 30s\nfeatures: {checkout: true, coupons: false}\ncert: /etc/hostname\n\
      cache: 10.0.0.9:6379\nmail: {from: shop@shop.example}\nqueues:\n  - {name: mail, retries: 3}\n  - {name: bills, retries: 9}\n",
    ),
    (
        "app.json",
        "{\"limits\": {\"upload\": \"10MiB\"}, \"auth\": {\"password\": \"right\"}}",
    ),
    ("php.ini", "[PHP]\nmemory_limit = 512M\n"),
    ("kafka.properties", "acks=all\nretries=5\n"),
    (".env.app", "SMTP_PORT=587\n"),
    (
        "core.xml",
        "<configuration><property><name>fs.defaultFS</name><value>hdfs://name:9000</value></property></configuration>",
    ),
    ("notes.txt", "one\ntwo\n"),
    ("run", "#!/bin/sh\n"),
    ("keys/tls.pem", "no key at all\n"),
    (
        "locks/Cargo.lock",
        "version = 4\n[[package]]\nname = \"serde\"\nversion = \"1.0.200\"\n",
    ),
    (
        "locks/package-lock.json",
        "{\"packages\": {\"node_modules/express\": {\"version\": \"4.18.2\"}}}",
    ),
];

pub(crate) const SHELL: &str = "umask 022\nchmod 755 run\nchmod 600 keys/tls.pem\nln -s releases/2.4 current\n\
    printf '%s' '{\"bomFormat\": \"CycloneDX\", \"components\": [{\"name\": \"openssl\", \"version\": \"3.0.11\"}]}' >locks/sbom.json\n";

pub(crate) const VARS: [(&str, &str); 3] = [
    ("APP_MODE", "release"),
    ("MAIL_HOST", "10.0.0.7"),
    ("API_URL", "http://10.0.0.8/api"),
];

pub(crate) const SECRETS: [(&str, &str); 2] = [
    ("API_TOKEN", "token-of-both"),
    ("DB_URL", "postgres://shop:ENV-1@db/shop"),
];

pub(crate) const SQL: &str = "create table orders(id integer, total text); insert into orders values (1, 'ten');\
    create index by_total on orders(total); create trigger touched after update on orders begin select 1; end;\
    create table schema_migrations(version); insert into schema_migrations values (7); pragma user_version = 3;";

/// What a tool printed: its layer, its name or place, its words.
type Printed = ((&'static str, &'static str), &'static str);

pub(crate) const RAW: [Printed; 3] = [
    (("dns", "names"), "db\t10.0.0.5\n"),
    (
        ("process", "0"),
        "running\tyes\nuser\tshop\nenv\tJAVA_OPTS=-Xmx4g\nenv\tINVOCATION_ID=1\n",
    ),
    (
        ("postgres", "0"),
        r##"["table", "public.orders", "bigint not null", "column/total"]
["table", "public.orders", "owner shop reader=r/shop", "grants"]
["index", "public.by_total", "CREATE INDEX by_total"]
["extension", "pgcrypto", "1.3"]
["migration", "0041", null]
["migration", "0042", null]
["setting", "default_transaction_isolation", "read committed"]
["setting", "shared_buffers", "16384"]
["role", "shop", "login"]
["function", "public.tax(cents)", "select $1 * 0.20"]
"##,
    ),
];

pub(crate) const COMMANDS: [(&str, &str); 3] = [
    (
        "docker",
        r##"[{"Id": "ENV", "Created": "ENV", "Image": "sha256:aaaa", "HostConfig": {"Privileged": false}}]"##,
    ),
    (
        "kubectl",
        r##"{"kind": "Deployment", "metadata": {"name": "shop", "uid": "ENV", "resourceVersion": "ENV", "managedFields": [{"time": "ENV"}]},
      "spec": {"template": {"containers": [{"name": "shop", "image": "registry/shop:2.4", "livenessProbe": {"httpGet": {"port": 8080}}, "resources": {"limits": {"memory": "512Mi"}}}]}},
      "status": {"readyReplicas": "ENV"}}"##,
    ),
    ("version", "shop 2.4.0"),
];

pub(crate) fn answer() -> (u16, Vec<(String, String)>, String, String, i64) {
    let headers = [
        ("Server", "shop"),
        ("Date", "now"),
        ("Strict-Transport-Security", "max-age=63072000"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let body = r#"{"status": "ok", "uptime": 12, "db": {"up": true}}"#.to_owned();
    let certificate = "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\nVerify return code: 0 (ok)\n\
        subject=CN = shop.example\nissuer=C = US, O = Let's Encrypt, CN = E5\nnotAfter=Jan 30 11:22:33 2027 GMT\n";
    (200, headers.into(), body, certificate.to_owned(), 60)
}

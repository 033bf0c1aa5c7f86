//! The parts of the script that read one layer each, with the tools that every
//! host has. Which of them speaks is told by the third field of a `raw` record;
//! `baton_core::parity::output` reads what they print.

use baton_core::parity::Collector;

/// The part for a collector; empty for one that is no word alone.
pub(super) fn of(collector: &Collector) -> &'static str {
    match collector {
        Collector::Os => OS,
        Collector::Packages => PACKAGES,
        Collector::Runtimes => RUNTIMES,
        Collector::Sysctl => SYSCTL,
        Collector::Limits => LIMITS,
        Collector::Locale => LOCALE,
        Collector::Time => TIME,
        Collector::Users => USERS,
        Collector::Services => SERVICES,
        Collector::Listeners => LISTENERS,
        Collector::Mounts => MOUNTS,
        Collector::Resolver => RESOLVER,
        _ => "",
    }
}

const OS: &str = r#"
baton_text=$(cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null)
printf '%s\0' os-release "$baton_text" uname "$(uname -srm)" done os
"#;

const PACKAGES: &str = r#"
baton_none=1
if command -v dpkg-query >/dev/null 2>&1; then
  baton_none=; printf '%s\0' raw packages deb
  dpkg-query -W -f='${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\n' 2>/dev/null | sed -n 's/^.i[^\t]*\t//p'
  printf '\0'; printf '%s\0' raw packages held "$(apt-mark showhold 2>/dev/null)"
fi
if command -v rpm >/dev/null 2>&1 && [ -n "$(rpm -qa 2>/dev/null | head -n 1)" ]; then
  baton_none=; printf '%s\0' raw packages rpm
  rpm -qa --qf '%{NAME}\t%{ARCH}\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\n' 2>/dev/null
  printf '\0'
fi
if command -v apk >/dev/null 2>&1; then
  baton_none=; printf '%s\0' raw packages apk "$(apk info -v 2>/dev/null)"
fi
if [ -n "$baton_none" ]; then printf '%s\0' absent packages; fi
printf '%s\0' done packages
"#;

const RUNTIMES: &str = r#"
printf '%s\0' raw runtimes versions
for baton_tool in python3 node ruby perl php rustc gcc openssl git sqlite3 curl; do
  command -v "$baton_tool" >/dev/null 2>&1 || continue
  case $baton_tool in openssl) baton_how=version;; perl) baton_how='-e print$^V';; *) baton_how=--version;; esac
  baton_text=$("$baton_tool" $baton_how 2>&1 </dev/null | head -n 1 | tr -d '\000\t')
  printf '%s\t%s\n' "$baton_tool" "$baton_text"
done
if command -v java >/dev/null 2>&1; then printf 'java\t%s\n' "$(java -version 2>&1 | head -n 1)"; fi
if command -v go >/dev/null 2>&1; then printf 'go\t%s\n' "$(go version 2>&1 | head -n 1)"; fi
if command -v ldd >/dev/null 2>&1; then printf 'libc\t%s\n' "$(ldd --version 2>&1 | head -n 1)"; fi
printf '\0'; printf '%s\0' done runtimes
"#;

const SYSCTL: &str = r#"
baton_sysctl=$(command -v sysctl || { [ -x /sbin/sysctl ] && echo /sbin/sysctl; })
if [ -n "$baton_sysctl" ]; then printf '%s\0' raw sysctl sysctl; "$baton_sysctl" -a 2>/dev/null | tr -d '\000'; printf '\0'
elif [ -d /proc/sys ]; then printf '%s\0' raw sysctl sysctl
  find /proc/sys -type f 2>/dev/null | while read -r baton_file; do
    baton_text=$(tr '\n\000' '  ' <"$baton_file" 2>/dev/null) || continue
    printf '%s = %s\n' "$(printf %s "${baton_file#/proc/sys/}" | tr / .)" "$baton_text"
  done; printf '\0'
else printf '%s\0' absent sysctl; fi
printf '%s\0' done sysctl
"#;

const LIMITS: &str = r#"
if [ -r /proc/self/limits ]; then printf '%s\0' raw limits limits "$(cat /proc/self/limits)"
else printf '%s\0' trouble limits 'the host has no /proc/self/limits'; fi
printf '%s\0' raw limits machine
printf 'cpus=%s\n' "$(getconf _NPROCESSORS_ONLN 2>/dev/null)"
sed -n 's/^MemTotal: *\([0-9]*\).*/memory_kib=\1/p; s/^SwapTotal: *\([0-9]*\).*/swap_kib=\1/p' /proc/meminfo 2>/dev/null
for baton_file in memory.max cpu.max pids.max; do
  if [ -r "/sys/fs/cgroup/$baton_file" ]; then printf 'cgroup/%s=%s\n' "$baton_file" "$(cat "/sys/fs/cgroup/$baton_file")"; fi
done
printf '\0'; printf '%s\0' done limits
"#;

const LOCALE: &str = r#"
printf '%s\0' raw locale pairs
if command -v locale >/dev/null 2>&1; then locale 2>/dev/null | tr -d '"'; else env | sed -n '/^LANG=/p;/^LC_[A-Z]*=/p'; fi
printf '\0'
if command -v locale >/dev/null 2>&1; then printf '%s\0' raw locale known "$(locale -a 2>/dev/null)"; fi
printf '%s\0' done locale
"#;

const TIME: &str = r#"
printf '%s\0' raw time pairs
baton_zone=$(readlink /etc/localtime 2>/dev/null); baton_zone=${baton_zone#*zoneinfo/}
if [ -z "$baton_zone" ]; then baton_zone=$(cat /etc/timezone 2>/dev/null); fi
printf 'zone=%s\n' "${TZ:-${baton_zone:-UTC}}"
printf 'offset=%s\n' "$(date +%z)"
sed -n 's/^# version \(.*\)/zoneinfo=\1/p' /usr/share/zoneinfo/tzdata.zi 2>/dev/null | head -n 1
printf 'clock=%s\n' "$(date +%s)"
printf '\0'; printf '%s\0' done time
"#;

const USERS: &str = r#"
if command -v getent >/dev/null 2>&1; then baton_who='getent'; else baton_who=''; fi
for baton_base in passwd group; do
  printf '%s\0' raw users "$baton_base"
  if [ -n "$baton_who" ]; then getent "$baton_base"; else cat "/etc/$baton_base"; fi | tr -d '\000'
  printf '\0'
done
printf '%s\0' done users
"#;

const SERVICES: &str = r#"
baton_none=1
if command -v systemctl >/dev/null 2>&1; then
  baton_text=$(systemctl list-unit-files --no-legend --no-pager 2>/dev/null)
  if [ -n "$baton_text" ]; then baton_none=; printf '%s\0' raw services units "$baton_text"; fi
fi
printf '%s\0' raw services cron
for baton_file in /etc/crontab /etc/cron.d/*; do
  [ -f "$baton_file" ] || continue
  baton_none=
  if [ -r "$baton_file" ]; then sed "s|^|$baton_file	|" "$baton_file" | tr -d '\000'; fi
done
if command -v crontab >/dev/null 2>&1; then crontab -l 2>/dev/null | sed 's|^|user	|'; fi
printf '\0'
for baton_file in /etc/crontab /etc/cron.d/*; do
  if [ -f "$baton_file" ] && [ ! -r "$baton_file" ]; then printf '%s\0' trouble services "$baton_file: Permission denied"; fi
done
if [ -n "$baton_none" ]; then printf '%s\0' absent services; fi
printf '%s\0' done services
"#;

const LISTENERS: &str = r#"
if [ -r /proc/net/tcp ]; then
  printf '%s\0' raw listeners tcp "$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)"
  printf '%s\0' raw listeners udp "$(cat /proc/net/udp /proc/net/udp6 2>/dev/null)"
else printf '%s\0' trouble listeners 'the host has no /proc/net/tcp'; fi
printf '%s\0' done listeners
"#;

const MOUNTS: &str = r#"
if [ -r /proc/self/mounts ]; then printf '%s\0' raw mounts mounts "$(cat /proc/self/mounts)"
else printf '%s\0' trouble mounts 'the host has no /proc/self/mounts'; fi
printf '%s\0' done mounts
"#;

const RESOLVER: &str = r#"
printf '%s\0' raw resolver conf "$(cat /etc/resolv.conf 2>/dev/null)"
printf '%s\0' raw resolver hosts "$(cat /etc/hosts 2>/dev/null)"
printf '%s\0' done resolver
"#;

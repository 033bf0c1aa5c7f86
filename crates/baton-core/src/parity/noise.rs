//! What changes or differs by itself: typed rules, each with its reason.
//!
//! A rule is for facts of one collector, never for what people write
//! themselves: nothing in a configuration file, a schema or a variable is noise.
//! Volatile facts are not compared, identities only by being there, sizes within
//! a factor. How often a fact changes is no reason to be here; what it is, is.

use std::sync::LazyLock;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::parity::fact::{Class, FactName};

/// The version of this table; it stands beside every comparison that used it.
pub const VERSION: u32 = 2;

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// The facts it is for, as a [`Pattern`](crate::parity::Pattern) is written.
    pub pattern: &'static str,
    /// What they are.
    pub class: Class,
    /// Why.
    pub because: &'static str,
}

const fn volatile(pattern: &'static str, because: &'static str) -> Noise {
    Noise {
        pattern,
        class: Class::Volatile,
        because,
    }
}

const fn identity(pattern: &'static str, because: &'static str) -> Noise {
    Noise {
        pattern,
        class: Class::Identity,
        because,
    }
}

const fn size(pattern: &'static str, because: &'static str) -> Noise {
    Noise {
        pattern,
        class: Class::Size,
        because,
    }
}

/// All rules; the first that fits counts.
pub const RULES: [Noise; 51] = [
    volatile("sysctl:kernel.random.*", "made anew at each reading"),
    volatile(
        "sysctl:fs.{file-nr,inode-nr,inode-state,dentry-state}",
        "counts what is open",
    ),
    volatile(
        "sysctl:fs.{quota,aio-nr,epoll.max_user_watches}*",
        "counts what is in use",
    ),
    volatile(
        "sysctl:kernel.{ns_last_pid,pty.nr,tainted,cad_pid}",
        "counts processes",
    ),
    volatile(
        "sysctl:net.netfilter.nf_conntrack_count",
        "counts connections",
    ),
    volatile("sysctl:{debug,dev}.*", "counts of drivers"),
    volatile(
        "sysctl:kernel.sched_domain.*",
        "measured by the kernel at its start",
    ),
    identity(
        "sysctl:kernel.{hostname,domainname}",
        "the name of the host",
    ),
    identity(
        "sysctl:net.ipv{4,6}.{conf,neigh}.*",
        "named after the interfaces of the host",
    ),
    identity(
        "sysctl:net.{ipv4.tcp_mem,ipv4.udp_mem,ipv4.tcp_fastopen_key}",
        "made from the memory of the host",
    ),
    size(
        "sysctl:{kernel.threads-max,fs.file-max,vm.min_free_kbytes}",
        "made from the memory of the host",
    ),
    size(
        "sysctl:{user.max_*,net.netfilter.nf_conntrack_*,kernel.pid_max}",
        "made from the memory of the host",
    ),
    size(
        "limits:{cpus,memory_kib,swap_kib}",
        "how large the machine is",
    ),
    size("limits:cgroup/*", "how large the machine is"),
    size(
        "limits:Max {processes,pending signals}#*",
        "made from the memory of the host",
    ),
    volatile("time:clock", "the clock itself"),
    identity("mounts:*#device", "the name of a device"),
    identity(
        "resolver:{nameserver,search,hosts/*}",
        "the addresses of the place",
    ),
    identity(
        "users:*#{uid,gid}",
        "numbers are given in the order of installing",
    ),
    // What is made for each answer, each start, each machine.
    volatile(
        "http:*#header/{date,etag,last-modified,expires,age,via,content-length,server-timing,report-to,nel,cf-ray,*-id,*trace*,*-cache*,x-runtime,x-response-time}",
        "made for each answer",
    ),
    volatile("http:*#tls/until", "another day with each certificate"),
    identity("http:*#tls/{names,subject}", "the names of the place"),
    volatile(
        "process:*#/env/{INVOCATION_ID,JOURNAL_STREAM,SHLVL,_,PWD,OLDPWD,SSH_*,SYSTEMD_EXEC_PID,MANAGERPID,NOTIFY_SOCKET,WATCHDOG_PID}",
        "given to each start",
    ),
    identity("process:*#/env/HOSTNAME", "the name of this machine"),
    volatile(
        "process:*#/limits/Max {pending signals,processes}/*",
        "follows from the machine's memory",
    ),
    volatile("process:*#/count", "how much there is to do"),
    // PostgreSQL's own.
    size(
        "postgres:*setting/{shared_buffers,effective_cache_size,wal_buffers,maintenance_work_mem,work_mem,max_wal_size,min_wal_size,max_connections,max_worker_processes,max_parallel_workers*}",
        "follows from the machine's memory and processors",
    ),
    identity(
        "postgres:*setting/{cluster_name,port,listen_addresses}",
        "the name of the place",
    ),
    // Facter, by the names in its documentation of core facts.
    volatile(
        "command:facter*#/{load_averages,system_uptime,uptime}*",
        "changes while the machine runs",
    ),
    volatile(
        "command:facter*#*/{available,available_bytes,capacity,used,used_bytes}",
        "changes while the machine runs",
    ),
    volatile(
        "command:facter*#/{facterversion,aio_agent_version,aio_agent_build}",
        "the collector itself",
    ),
    volatile(
        "command:facter*#/{augeas,ruby,puppet,path}*",
        "the collector itself",
    ),
    volatile(
        "command:facter*#/{rubyplatform,rubysitedir,rubyversion,gem_version}",
        "the collector itself",
    ),
    volatile("command:facter*#/env_*", "the collector itself"),
    volatile(
        "command:facter*#/{disks,partitions}/*",
        "devices by the names that the kernel gave them; mounts are compared by their place",
    ),
    size(
        "command:facter*#/{memory,processors,mountpoints}/*{size,total,count,speed}*",
        "how large the machine is",
    ),
    // Which of these there are changes with the version of the tool as well.
    volatile(
        "command:facter*#/{processors,dmi,hypervisors,system_profiler,ldom}*",
        "the hardware of this machine; limits tell what matters of it",
    ),
    volatile(
        "command:facter*#/networking/*",
        "links and addresses of this machine; resolver and listeners tell what matters of them",
    ),
    identity(
        "command:facter*#*{uuid,serial,serial_number}*",
        "the name of this machine",
    ),
    identity(
        "command:facter*#/{ssh,dhcp_servers,cloud,ec2_metadata,gce,az_metadata}*",
        "the name of this machine",
    ),
    identity(
        "command:facter*#*/{mac,hostname,fqdn,domain}",
        "the address of this machine",
    ),
    volatile(
        "command:facter*#/mountpoints/~1{run,dev,sys,proc,tmp,snap}*",
        "mounted by the system as it needs them",
    ),
    // Names of Facter 2, which later versions give or leave out as they are told.
    volatile(
        "command:facter*#/{architecture,blockdevice,bios_,board,chassis,hardwareisa,hardwaremodel,interfaces,ipaddress,lsb,macaddress,manufacturer,memoryfree,memorysize,mtu_,netmask,network_,operatingsystem,osfamily,physicalprocessorcount,processor,productname,scope6,selinux,sp_,swap,sshfp_,uptime,windows_}*",
        "an old name of what is compared by its new one",
    ),
    identity(
        "command:facter*#/mountpoints/*",
        "the hardware of this machine",
    ),
    // Kubernetes' objects and container runtimes.
    volatile(
        "command:k*#*/metadata/{uid,resourceVersion,generation,creationTimestamp,selfLink}",
        "given by the server",
    ),
    volatile(
        "command:k*#*/metadata/managedFields*",
        "given by the server",
    ),
    volatile("command:k*#*/status/*", "what the server sees"),
    volatile(
        "command:k*#*last-applied-configuration",
        "a copy of what is applied",
    ),
    volatile(
        "command:{docker,podman}*#*/{Id,Pid,Created,StartedAt,FinishedAt,SandboxID,SandboxKey,EndpointID,ResolvConfPath,HostnamePath,HostsPath,LogPath}",
        "given to each container",
    ),
    identity(
        "command:{docker,podman}*#*/{Hostname,IPAddress,MacAddress,Gateway,GlobalIPv6Address,NetworkID}",
        "given to each container",
    ),
    identity(
        "command:{docker,podman}*#*/GraphDriver/*",
        "given to each container",
    ),
];

static SET: LazyLock<GlobSet> = LazyLock::new(|| {
    let mut set = GlobSetBuilder::new();
    for rule in RULES {
        let glob = GlobBuilder::new(rule.pattern)
            .literal_separator(false)
            .build();
        set.add(glob.expect("a test reads every pattern"));
    }
    set.build().expect("a test builds the whole")
});

/// The rule for a fact, if there is one.
pub fn rule(name: &FactName) -> Option<&'static Noise> {
    let first = SET.matches(name.as_str()).into_iter().min()?;
    RULES.get(first)
}

/// How a fact takes part in comparing.
pub fn class(name: &FactName) -> Class {
    rule(name).map_or(Class::Stable, |rule| rule.class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(layer: &str, subject: &str, attribute: Option<&str>) -> Class {
        let name = FactName::new(layer, subject);
        class(&attribute.map_or_else(|| name.clone(), |attribute| name.attribute(attribute)))
    }

    #[test]
    fn what_people_write_is_never_noise() {
        for layer in [
            "files", "env", "sqlite", "postgres", "packages", "services", "cron",
        ] {
            let tried = [
                "uptime",
                "kernel.random.uuid",
                "hostname",
                "clock",
                "Id",
                "cpus",
            ];
            for subject in tried {
                for attribute in [None, Some("/uptime"), Some("/metadata/uid"), Some("uid")] {
                    assert_eq!(
                        of(layer, subject, attribute),
                        Class::Stable,
                        "{layer}:{subject}"
                    );
                }
            }
        }
        assert_eq!(of("command", "inventory", Some("/uptime")), Class::Stable);
    }

    #[test]
    fn every_rule_has_a_reason_and_is_for_one_collector() {
        for rule in RULES {
            assert!(!rule.because.is_empty());
            let (layer, _) = rule.pattern.split_once(':').unwrap();
            assert!(
                layer.chars().all(|c| c.is_ascii_lowercase()),
                "{}",
                rule.pattern
            );
        }
        assert_eq!(of("sysctl", "kernel.random.uuid", None), Class::Volatile);
        assert_eq!(of("sysctl", "vm.swappiness", None), Class::Stable);
        assert_eq!(of("limits", "cpus", None), Class::Size);
    }
}

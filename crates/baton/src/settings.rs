//! Flags, environment and defaults, resolved once into plain values.

use std::env;
use std::path::{Path, PathBuf};

use baton_core::id::{Handle, RunId};

use crate::args::Global;
use crate::env_vars;
use baton_engine::failure::Failure;

/// What every command knows.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where the desk stands.
    pub(crate) desk: baton_engine::desk::Settings,
    /// Ask nothing.
    pub(crate) yes: bool,
}

impl Settings {
    /// Resolves what the command line and the environment say.
    pub(crate) fn resolve(global: &Global) -> Result<Self, Failure> {
        let file = global.file.clone();
        let folder = match file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let folder = std::path::absolute(&folder).map_err(|error| {
            Failure::part(format!("cannot find the folder of {}", file.display())).because(&error)
        })?;
        let var = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let speaker = global.speaker.clone().or_else(|| var(env_vars::BATON_AS));
        // A folder may have any name, also one that is not UTF-8.
        let place = |name: &str| {
            let value = env::var_os(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        let home = place(env_vars::BATON_HOME)
            .or_else(|| place(env_vars::XDG_STATE_HOME).map(|home| home.join("baton")))
            .or_else(|| place(env_vars::HOME).map(|home| home.join(".local/state/baton")))
            .unwrap_or_else(|| folder.join(".baton/home"));
        let ssh = var(env_vars::BATON_SSH).unwrap_or_else(|| "ssh".to_owned());
        let desk = baton_engine::desk::Settings {
            file,
            folder,
            speaker: speaker.map(|who| Handle::from(who.as_str())),
            run: global.run.as_deref().map(RunId::from),
            home,
            ssh: PathBuf::from(ssh),
        };
        Ok(Self {
            desk,
            yes: global.yes,
        })
    }
}

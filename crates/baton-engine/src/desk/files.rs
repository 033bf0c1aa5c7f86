//! The contract and the runbook as they lie in the folder: read whole, within
//! bounds, with everything that is wrong with them.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use baton_core::diag::{Code, FileKind, Note, Severity};
use baton_core::handoff::contract::{self, Contract};
use baton_core::handoff::plan::{self, Linted};
use baton_core::handoff::runbook::{self, Runbook};

use super::Settings;
use crate::failure::{Failure, Kind};

/// The most a contract or a runbook may have; the readers refuse more, this
/// keeps such a file out of memory.
const FILE_MOST: u64 = 16 * 1024 * 1024;

/// The texts that notes point into.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Name and text of the contract.
    pub contract: (String, String),
    /// Name and text of the runbook.
    pub runbook: (String, String),
}

impl Sources {
    /// The name of a file, as it was given.
    pub fn name(&self, file: FileKind) -> &str {
        &self.of(file).0
    }

    /// Name and text of a file.
    pub fn of(&self, file: FileKind) -> &(String, String) {
        match file {
            FileKind::Contract => &self.contract,
            FileKind::Runbook => &self.runbook,
        }
    }
}

/// Both files, as far as they could be read.
pub struct Files {
    /// The contract, when it could be read.
    pub contract: Option<Contract>,
    /// The runbook, when it could be read.
    pub runbook: Option<Runbook>,
    /// Everything that is wrong with them, in the order of the files.
    pub notes: Vec<Note>,
    /// Their texts.
    pub sources: Sources,
    /// What was looked up for the plan, when both could be read.
    pub(super) linted: Option<Linted>,
}

impl Files {
    /// Reads both files and says everything that is wrong with them.
    pub fn read(settings: &Settings) -> Result<Self, Failure> {
        let bytes = read_bounded(&settings.file)?;
        let (contract, mut notes) = contract::parse(&bytes);
        let mut sources = Sources {
            contract: (settings.file.display().to_string(), text(&bytes)),
            ..Sources::default()
        };
        let mut runbook = None;
        if let Some(contract) = &contract {
            notes.extend(contract::check(contract));
            let name = contract.runbook.value.clone();
            match read_bounded(&settings.folder.join(&name)) {
                Ok(bytes) => {
                    let (read, more) = runbook::parse(&bytes);
                    notes.extend(more);
                    runbook = read;
                    sources.runbook = (name, text(&bytes));
                }
                Err(failure) => {
                    let says = format!(
                        "the runbook {name} cannot be read: {}",
                        failure.causes.join(": ")
                    );
                    let note = Note::error("contract.reference", says)
                        .next("`baton init` writes one, or name the file under `runbook:`");
                    notes.push(
                        contract
                            .runbook
                            .span
                            .map_or_else(|| note.clone(), |at| note.clone().at(at)),
                    );
                }
            }
        }
        let mut linted = None;
        if let (Some(contract), Some(runbook)) = (&contract, &runbook) {
            let found = plan::lint(contract, runbook);
            notes.extend_from_slice(&found.notes);
            linted = Some(found);
        }
        notes.sort_by_key(|note| note.span.map(|span| (span.file, span.line, span.column)));
        notes.dedup();
        Ok(Self {
            contract,
            runbook,
            notes,
            sources,
            linted,
        })
    }

    /// How many of the notes are more than warnings.
    pub fn errors(&self) -> usize {
        let is_error = |note: &&Note| note.severity != Severity::Warning;
        self.notes.iter().filter(is_error).count()
    }

    /// Whether anything makes the files unusable: an error that is not one of
    /// the gate's blockers, which a waiver may set aside.
    pub fn broken(&self) -> bool {
        self.contract.is_none()
            || self.runbook.is_none()
            || self.notes.iter().any(|note| {
                note.severity != Severity::Warning && Code::blocker(note.code.0).is_none()
            })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(Kind::Files, format!("cannot read {}", path.display()))
            .because(error)
            .hint("`baton init` writes a contract and a runbook; `--file` names another contract")
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| failed(&error))?;
    let _read = file
        .take(FILE_MOST)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(&error))?;
    Ok(bytes)
}

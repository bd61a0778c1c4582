//! State scripts: their names (mender-artifact, artifact/scripter.go), and whom they are handed
//! to. Never looks into one.

use core::fmt;

use crate::device::Cause;

/// Takes the state scripts of an artifact as they come. The header they stand in is the signed
/// one; whether the artifact is for this device is not known yet.
pub trait ScriptSink: fmt::Debug {
    /// Takes the next `part` of the script `name`, a plain file name. A new script begins with
    /// an empty part.
    ///
    /// # Errors
    /// The script cannot be kept: the artifact is refused.
    fn keep(&mut self, name: &str, part: &[u8]) -> Result<(), Cause>;
}

/// Passes over all scripts, for whom installs nothing.
#[derive(Clone, Copy, Debug)]
pub struct PassOver;

impl ScriptSink for PassOver {
    fn keep(&mut self, _name: &str, _part: &[u8]) -> Result<(), Cause> {
        Ok(())
    }
}

const STATES: [&str; 6] = ["Install", "Reboot", "Rollback", "RollbackReboot", "Commit", "Failure"];
const ACTIONS: [&str; 3] = ["Enter", "Leave", "Error"];

/// Whether `name` is `Artifact<state>_<action>_<two digits>`, then nothing or `_` and a word.
pub(super) fn is_script(name: &str) -> bool {
    let Some(name) = name.strip_prefix("Artifact") else { return false };
    let mut parts = name.splitn(4, '_');
    let mut next = || parts.next();
    let state = next().is_some_and(|state| STATES.contains(&state));
    let action = next().is_some_and(|action| ACTIONS.contains(&action));
    let number = next().is_some_and(is_number);
    let word = next().is_none_or(|word| !word.is_empty() && !word.contains(is_outside));
    state && action && number && word
}

fn is_number(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a script's name may not have: white space, and a way out of its directory.
fn is_outside(char: char) -> bool {
    char.is_whitespace() || char == '/'
}

#[cfg(test)]
mod tests {
    use super::is_script;

    #[test]
    fn every_state_and_action_makes_a_script() {
        for state in super::STATES {
            for action in super::ACTIONS {
                assert!(is_script(&std::format!("Artifact{state}_{action}_00")));
            }
        }
    }

    #[test]
    fn a_script_may_have_a_word_after_its_number() {
        assert!(is_script("ArtifactCommit_Leave_99_done"));
        assert!(is_script("ArtifactCommit_Leave_99_a_b.sh"));
        assert!(is_script("ArtifactCommit_Leave_99__"));
        assert!(!is_script("ArtifactCommit_Leave_99_"));
        assert!(!is_script("ArtifactCommit_Leave_99_two words"));
        assert!(!is_script("ArtifactCommit_Leave_99_../x"));
    }

    #[test]
    fn other_states_actions_and_numbers_make_no_script() {
        for name in [
            "",
            "Artifact",
            "ArtifactInstall_Enter",
            "ArtifactInstall_Enter_",
            "Idle_Enter_00",
            "ArtifactInstall_Enter_0",
            "ArtifactInstall_Enter_000",
            "ArtifactInstall_Enter_0x",
            "ArtifactDownload_Enter_00",
            "ArtifactSync_Enter_00",
            "artifactInstall_Enter_00",
            "ArtifactInstall_Middle_00",
            "ArtifactInstall_Enter_00x",
            "xArtifactInstall_Enter_00",
        ] {
            assert!(!is_script(name), "{name}");
        }
    }
}

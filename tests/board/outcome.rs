//! How a program ended: its exit code and what it wrote.

use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

#[derive(Debug, Clone)]
pub struct Outcome {
    pub command: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn new(command: String, output: &Output) -> Self {
        let Some(code) = output.status.code() else {
            panic!("{command}: ended by signal {:?}", output.status.signal());
        };
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(code != 124, "{command}: still running after two minutes\n{stdout}{stderr}");
        Self { command, code, stdout, stderr }
    }

    /// Fails the test, with all that was written, when the exit code is another.
    #[track_caller]
    pub fn expect(&self, code: i32) -> &Self {
        assert!(self.code == code, "wanted exit code {code}, got {self}");
        self
    }

    /// The one object a `--json` run writes.
    #[track_caller]
    pub fn json(&self) -> Value {
        let json = serde_json::from_str(&self.stdout);
        json.unwrap_or_else(|error| panic!("stdout is not one JSON object ({error}): {self}"))
    }

    /// Every line a `--progress json` run writes.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let event = |line: &str| match serde_json::from_str(line) {
            Ok(event) => event,
            Err(error) => panic!("not JSON ({error}): {line}\n{self}"),
        };
        self.stdout.lines().map(event).collect()
    }

    /// The last line of a `--progress json` run: the result.
    #[track_caller]
    pub fn result(&self) -> Value {
        let last = self.events().pop().unwrap_or_else(|| panic!("no events: {self}"));
        assert_eq!(last["event"], "result", "the last line is not the result: {self}");
        assert_eq!(last["exit"], self.code, "the result names another exit code: {self}");
        last
    }

    /// `error.code` of the result.
    #[track_caller]
    pub fn error_code(&self) -> String {
        let result = self.result();
        let code = result["error"]["code"].as_str();
        code.unwrap_or_else(|| panic!("the result has no error.code: {self}")).to_owned()
    }

    /// `error.message` of the result.
    #[track_caller]
    pub fn message(&self) -> String {
        let result = self.result();
        let message = result["error"]["message"].as_str();
        message.unwrap_or_else(|| panic!("the result has no error.message: {self}")).to_owned()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "`{}`: exit code {}", self.command, self.code)?;
        writeln!(f, "--- stdout\n{}\n--- stderr\n{}", self.stdout.trim_end(), self.stderr)
    }
}

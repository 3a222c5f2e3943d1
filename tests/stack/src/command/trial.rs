//! One step of `cargo stack test`: a command, its output in a file, its tests counted while it runs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use stack::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use crate::say::Work;

/// What a step runs.
#[derive(Clone, Debug)]
pub struct Trial {
    pub name: &'static str,
    pub args: Vec<&'static str>,
    pub env: Vec<(&'static str, &'static str)>,
    /// What the step says when it cannot be done here, and what to tell then: that is no failure.
    pub excuse: Option<(&'static str, &'static str)>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub passed: bool,
    /// Why it was not run after all.
    pub excused: Option<&'static str>,
    pub tests: u64,
    pub failed: u64,
    pub ignored: u64,
}

impl Trial {
    /// Runs `cargo` with the step's arguments at the root of the repository.
    pub async fn run(&self, root: &Path, target: &Path, log: PathBuf) -> Result<Outcome, Error> {
        let work = Work::begin(self.name);
        let mut file =
            std::fs::File::create(&log).map_err(Error::io(format!("writing {}", log.display())))?;
        let mut child = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(&self.args)
            .envs(self.env.iter().copied())
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_TERM_COLOR", "never")
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io("starting cargo"))?;
        let mut output = merge(child.stdout.take(), child.stderr.take());
        let mut outcome = Outcome::default();
        while let Some(line) = output.recv().await {
            outcome.count(&line);
            let excuse = self.excuse.filter(|(said, _)| line.contains(said));
            outcome.excused = outcome.excused.or(excuse.map(|(_, why)| why));
            work.at(&line);
            writeln!(file, "{line}").map_err(Error::io(format!("writing {}", log.display())))?;
        }
        let status = child.wait().await.map_err(Error::io("waiting for cargo"))?;
        outcome.passed = status.success() || outcome.excused.is_some();
        work.end(&outcome.to_string());
        Ok(outcome)
    }
}

impl Outcome {
    /// Cargo's `test result: ok. 12 passed; 0 failed; 1 ignored; ...`.
    fn count(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ") else {
            return;
        };
        let of = |what: &str| -> u64 {
            let part = counts
                .split([';', '.'])
                .find(|part| part.trim().ends_with(what));
            part.and_then(|part| part.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        self.tests += of("passed") + of("failed");
        self.failed += of("failed");
        self.ignored += of("ignored");
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(why) = self.excused {
            return write!(out, "not run: {why}");
        }
        out.write_str(if self.passed { "ok" } else { "FAILED" })?;
        match (self.tests, self.failed, self.ignored) {
            (0, _, _) => Ok(()),
            (tests, 0, 0) => write!(out, ", {tests} tests"),
            (tests, failed, ignored) => {
                write!(out, ", {tests} tests, {failed} failed, {ignored} ignored")
            }
        }
    }
}

/// Both streams, line by line, as they come.
fn merge(
    out: Option<impl AsyncRead + Unpin + Send + 'static>,
    err: Option<impl AsyncRead + Unpin + Send + 'static>,
) -> tokio::sync::mpsc::Receiver<String> {
    let (lines, merged) = tokio::sync::mpsc::channel(64);
    forward(out, lines.clone());
    forward(err, lines);
    merged
}

fn forward(
    stream: Option<impl AsyncRead + Unpin + Send + 'static>,
    lines: tokio::sync::mpsc::Sender<String>,
) {
    let Some(stream) = stream else { return };
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .await
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if lines.send(text).await.is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_of_all_binaries_are_added_up() {
        let mut outcome = Outcome::default();
        outcome.count("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        outcome.count(
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        );
        outcome.count("test a::b ... ok");
        assert_eq!((outcome.tests, outcome.failed, outcome.ignored), (17, 2, 1));
    }
}

//! What the runner says to the person at the terminal; the only file that prints.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line's output is its product"
)]

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Results.
pub fn line(text: &str) {
    println!("{text}");
}

/// Progress and remarks: kept apart from results, which may be piped.
pub fn note(text: &str) {
    eprintln!("{text}");
}

pub fn error(text: &str) {
    eprintln!("error: {text}");
}

/// Long work: a line that moves at a terminal, two plain lines elsewhere.
pub struct Work {
    name: String,
    begin: Instant,
    bar: Option<ProgressBar>,
}

impl Work {
    pub fn begin(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner()
                .with_style(style)
                .with_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            note(&format!("{name} ..."));
        }
        Self {
            name: name.to_owned(),
            begin: Instant::now(),
            bar,
        }
    }

    /// What it is at; shown only where the line moves.
    pub fn at(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    pub fn end(self, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        note(&format!(
            "{:<10} {:>7.1} s  {result}",
            self.name,
            self.begin.elapsed().as_secs_f64()
        ));
    }
}

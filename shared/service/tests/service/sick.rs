//! A running `examples/sick.rs`, without Consul, and the verbs of its tests.

use super::wire::{self, Answer};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What a test waits for comes by then, or does not come.
const LONGEST: Duration = Duration::from_secs(20);
const TOKEN: &str = "Authorization: Bearer of-tests";

pub struct Sick {
    child: Child,
    pub public: SocketAddr,
    pub ops: SocketAddr,
    pub admin: SocketAddr,
    pub directory: TempDir,
}

impl Sick {
    /// Starts it with faults enabled.
    pub fn start() -> Self {
        Self::start_with(&[("FAULTS__ENABLED", "true")])
    }

    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [public, ops, admin] = free();
        let store = format!("sqlite://{}", directory.path().join("sick.db").display());
        let mut command = Command::new(binary());
        command
            .env("LICTOR_SERVER__PUBLIC", public.to_string())
            .env("LICTOR_SERVER__OPS", ops.to_string())
            .env("LICTOR_SERVER__ADMIN", admin.to_string())
            .env("LICTOR_SERVER__ADMIN_TOKEN", "of-tests")
            .env("LICTOR_CONSUL__ADDRESS", "http://127.0.0.1:1")
            .env("LICTOR_STORE__URL", store)
            .envs(
                settings
                    .iter()
                    .map(|(key, value)| (format!("LICTOR_{key}"), *value)),
            )
            .stdout(Stdio::null());
        let child = command.spawn().unwrap();
        let sick = Self {
            child,
            public,
            ops,
            admin,
            directory,
        };
        until("it is ready", || {
            wire::ask(sick.ops, "GET /readyz", &[], "").is_ok_and(|answer| answer.status == 200)
        });
        sick
    }

    /// A request to the public listener.
    pub fn ask(&self, line: &str) -> Answer {
        wire::ask(self.public, line, &[], "").unwrap()
    }

    /// The same by a caller who has so many milliseconds left.
    pub fn ask_with(&self, line: &str, left_ms: u64) -> Answer {
        let header = format!("X-Request-Timeout-Ms: {left_ms}");
        wire::ask(self.public, line, &[&header], "").unwrap()
    }

    pub fn ready(&self) -> Answer {
        wire::ask(self.ops, "GET /readyz", &[], "").unwrap()
    }

    /// A request to the admin listener, with the token.
    pub fn operate(&self, line: &str, body: &Value) -> Answer {
        wire::ask(self.admin, line, &[TOKEN], &body.to_string()).unwrap()
    }

    /// Sets a fault; its id.
    pub fn fault(&self, fault: Value) -> String {
        let answer = self.operate("POST /faults", &fault);
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    pub fn heal(&self) {
        assert_eq!(self.operate("DELETE /faults", &Value::Null).status, 200);
    }

    /// The value of a line of `/metrics`, such as `lictor_faults_active{kind="hang"}`.
    pub fn metric(&self, line: &str) -> f64 {
        let text = wire::ask(self.ops, "GET /metrics", &[], "").unwrap().body;
        let value = text
            .lines()
            .find_map(|one| one.strip_prefix(line)?.trim().parse().ok());
        value.unwrap_or(0.0)
    }
}

impl Drop for Sick {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for what will come.
pub fn until(what: &str, mut come: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !come() {
        assert!(begin.elapsed() < LONGEST, "waited {LONGEST:?} until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn free() -> [SocketAddr; 3] {
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap())
}

fn binary() -> PathBuf {
    let target = std::env::current_exe().unwrap();
    let sick = target.ancestors().nth(2).unwrap().join("examples/sick");
    assert!(
        sick.is_file(),
        "{} is missing; build it with: cargo build -p service --examples",
        sick.display()
    );
    sick
}

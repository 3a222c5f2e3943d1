//! A PostgreSQL for one test: made, run and thrown away below a temporary directory, as a plain user.
//!
//! It has the databases and roles that compose has, from the same file.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// `nobody`: the server refuses to run as root.
const PLAIN: u32 = 65534;

/// Where Debian keeps the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";

const READY: Duration = Duration::from_secs(30);

/// Ends with its test.
pub struct Server {
    address: SocketAddr,
    programs: PathBuf,
    child: Child,
    _directory: TempDir,
}

impl Server {
    pub async fn start() -> Self {
        let programs = programs();
        let directory = tempfile::tempdir().unwrap();
        let (home, data) = (directory.path(), directory.path().join("data"));
        let plain = give_away(home);
        let mut made = plain(Command::new(programs.join("initdb")));
        made.arg("-D").arg(&data);
        made.args([
            "-U",
            "postgres",
            "--auth=trust",
            "--locale=C",
            "--encoding=UTF8",
            "--no-sync",
        ]);
        said(&mut made);

        let address = stack::ports::any();
        let mut server = plain(Command::new(programs.join("postgres")));
        server.arg("-D").arg(&data).arg("-k").arg(home);
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        server.args(["-p", &address.port().to_string()]);
        let log = fs::File::create(home.join("log")).unwrap();
        let child = server.stderr(log).spawn().unwrap();
        let server = Self {
            address,
            programs,
            child,
            _directory: directory,
        };
        server.answers().await;
        let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/../../services/postgres.sql");
        said(
            server
                .psql("postgres")
                .args(["-v", "ON_ERROR_STOP=1", "-f", shop]),
        );
        server
    }

    /// What a service is told of its database.
    pub fn url(&self, service: &str) -> String {
        format!("postgres://{service}:{service}@{}/{service}", self.address)
    }

    /// The answer to one statement.
    pub fn ask(&self, database: &str, sql: &str) -> String {
        said(self.psql(database).args(["-A", "-t", "-c", sql]))
    }

    fn psql(&self, database: &str) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &self.address.port().to_string()]);
        psql.args(["-U", "postgres", "-d", database, "-q"]);
        psql
    }

    async fn answers(&self) {
        let answers = stack::wait::until("PostgreSQL", READY, || async {
            match self.psql("postgres").args(["-c", "SELECT 1"]).output() {
                Ok(asked) if asked.status.success() => Ok(()),
                Ok(asked) => Err(String::from_utf8_lossy(&asked.stderr).into_owned()),
                Err(error) => Err(error.to_string()),
            }
        });
        answers.await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A fast shutdown: what is connected is cut off, nothing is left.
        let pid = Pid::from_raw(self.child.id().cast_signed());
        let _gone = kill(pid, Signal::SIGINT);
        let _ended = self.child.wait();
    }
}

/// The folder of `initdb`: on `PATH`, or the newest of Debian's.
fn programs() -> PathBuf {
    let on_path = stack::parts::on_path("initdb").and_then(|found| fs::canonicalize(found).ok());
    let debian = || {
        let versions = fs::read_dir(DEBIAN).ok()?.flatten();
        let newest = versions.max_by_key(|version| {
            let name = version.file_name().to_string_lossy().into_owned();
            name.parse::<u32>().unwrap_or(0)
        })?;
        Some(newest.path().join("bin/initdb"))
    };
    on_path
        .or_else(debian)
        .and_then(|initdb| initdb.parent().map(PathBuf::from))
        .expect("PostgreSQL is not installed; it comes with: apt-get install postgresql")
}

/// Gives the folder to nobody where it is root's; and how a program is run that works there.
fn give_away(home: &Path) -> impl Fn(Command) -> Command + use<> {
    let root = fs::metadata(home).unwrap().uid() == 0;
    if root {
        chown(home, Some(PLAIN), Some(PLAIN)).unwrap();
    }
    move |mut command| {
        if root {
            command.uid(PLAIN).gid(PLAIN);
        }
        command.current_dir("/");
        command
    }
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

//! Fetching a part as its publisher's release archive.
//!
//! `curl` moves the bytes (it knows proxies and certificates), the publisher's checksum file decides whether they are the right ones, and `unzip` or `python3` opens the archive.
//! Without a network this gives up after a few seconds and says so.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use super::find::on_path;
use super::{Found, Part};
use crate::keys::digest;
use crate::reporter::Reporter;

/// Names a mirror with the publisher's layout.
const MIRROR: &str = "STACK_RELEASES";

/// Without a network the answer must come quickly; a Go build is waiting.
const CONNECT_SECONDS: &str = "5";

/// A release is 50 to 100 MB.
const WHOLE: Duration = Duration::from_secs(600);

/// The mirror if one is named, else the publisher.
pub fn server(publisher: &str) -> String {
    std::env::var(MIRROR).unwrap_or_else(|_| publisher.to_owned())
}

/// Fetches, checks, unpacks; an error is a sentence for the list of what was tried.
pub async fn fetch(part: &Part, server: &str, reporter: &Reporter) -> Result<Found, String> {
    let (name, version) = (part.name, part.version);
    let platform = platform().ok_or("no release archive is published for this platform")?;
    if on_path("curl").is_none() {
        return Err("no release archive without curl".to_owned());
    }
    let folder = format!("{server}/{name}/{version}");
    let archive = format!("{name}_{version}_{platform}.zip");
    let temporary = part.unfinished().map_err(|error| error.to_string())?;
    let downloaded = temporary.with_added_extension("zip");

    reporter.say(format!("fetching {folder}/{archive}"));
    let result = async {
        let sums = temporary.with_added_extension("sums");
        curl(&format!("{folder}/{name}_{version}_SHA256SUMS"), &sums).await?;
        let listed = std::fs::read_to_string(&sums).map_err(|error| error.to_string());
        let _ = std::fs::remove_file(&sums);
        let wanted = checksum(&listed?, &archive)
            .ok_or_else(|| format!("the publisher's checksums do not list {archive}"))?;
        curl(&format!("{folder}/{archive}"), &downloaded).await?;
        let bytes = std::fs::read(&downloaded).map_err(|error| error.to_string())?;
        if digest(&bytes) != wanted {
            return Err(format!(
                "{archive} does not have the publisher's checksum; it was thrown away"
            ));
        }
        unpack(&downloaded, name, &temporary).await?;
        let path = part.cached().map_err(|error| error.to_string())?;
        std::fs::rename(&temporary, &path).map_err(|error| error.to_string())?;
        Ok(Found {
            way: format!("fetched from {server} to {}", path.display()),
            path,
        })
    }
    .await;
    let _ = std::fs::remove_file(&downloaded);
    result
}

/// As HashiCorp names platforms.
fn platform() -> Option<String> {
    let system = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        _ => return None,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        _ => return None,
    };
    Some(format!("{system}_{processor}"))
}

async fn curl(url: &str, to: &Path) -> Result<(), String> {
    let run = Command::new("curl")
        .args([
            "--fail",
            "--silent",
            "--show-error",
            "--location",
            "--connect-timeout",
            CONNECT_SECONDS,
            "--output",
        ])
        .arg(to)
        .arg(url)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(WHOLE, run)
        .await
        .map_err(|_| format!("{url} took more than {} s", WHOLE.as_secs()))?
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let _ = std::fs::remove_file(to);
    Err(format!(
        "{url} cannot be fetched ({})",
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

fn checksum(sums: &str, archive: &str) -> Option<String> {
    sums.lines().find_map(|line| {
        let (sum, name) = line.split_once(char::is_whitespace)?;
        (name.trim() == archive).then(|| sum.to_ascii_lowercase())
    })
}

async fn unpack(archive: &Path, member: &str, to: &Path) -> Result<(), String> {
    let folder = to.with_added_extension("d");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let mut command = if on_path("unzip").is_some() {
        let mut command = Command::new("unzip");
        command
            .arg("-q")
            .arg(archive)
            .arg(member)
            .arg("-d")
            .arg(&folder);
        command
    } else if on_path("python3").is_some() {
        let mut command = Command::new("python3");
        command
            .args(["-m", "zipfile", "-e"])
            .arg(archive)
            .arg(&folder);
        command
    } else {
        return Err("the archive cannot be opened without unzip or python3".to_owned());
    };
    let output = command.output().await.map_err(|error| error.to_string())?;
    let result = if output.status.success() {
        make_program(&folder.join(member))
            .and_then(|()| std::fs::rename(folder.join(member), to))
            .map_err(|error| error.to_string())
    } else {
        Err(format!(
            "the archive cannot be opened ({})",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    };
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn make_program(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_exactly_this_archive_is_taken() {
        let sums = "AA11  tool_1_linux_amd64.zip.sig\nBB22  tool_1_linux_amd64.zip\n";
        assert_eq!(checksum(sums, "tool_1_linux_amd64.zip").unwrap(), "bb22");
        assert_eq!(checksum(sums, "tool_1_darwin_arm64.zip"), None);
    }
}

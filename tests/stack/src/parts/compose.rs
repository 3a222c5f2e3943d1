//! Which command is `docker compose` here: the plugin of an installed Docker, else the part, which runs alone.
//!
//! Reading and checking `compose.yaml` needs no engine either way.

use std::ffi::OsString;

use tokio::process::Command;

use super::DOCKER_COMPOSE;
use crate::error::Error;
use crate::place::Place;
use crate::reporter::Reporter;

/// The program and its first arguments; the part is brought here if need be.
///
/// # Errors
/// Neither is here, and the part cannot be had.
pub async fn compose(place: &Place, reporter: &Reporter) -> Result<Vec<OsString>, Error> {
    let mut asked = Command::new("docker");
    asked.args(["compose", "version"]).kill_on_drop(true);
    if asked.output().await.is_ok_and(|out| out.status.success()) {
        return Ok(vec!["docker".into(), "compose".into()]);
    }
    let part = DOCKER_COMPOSE.get(place, reporter).await?;
    Ok(vec![part.path.into_os_string()])
}

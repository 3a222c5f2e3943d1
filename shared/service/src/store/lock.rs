//! The lock file beside a SQLite file: one process at a time brings the schema up to date.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::sleep;

/// Between two tries for the lock: nobody notices it, and a migration takes longer.
pub(super) const LOCK_POLL: Duration = Duration::from_millis(50);

/// Waits until no other process migrates this file.
/// By asking again: a thread that waits inside the kernel cannot be told to stop, and would keep the process.
pub(super) async fn hold(path: PathBuf) -> Result<File, std::io::Error> {
    let file = File::create(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => sleep(LOCK_POLL).await,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

//! How often a profile file is parsed. Alone in its process: the log is that of the whole process, because
//! files are read on other threads, and tracing remembers what no other test's threads listened to.

#![expect(
    clippy::unwrap_used,
    reason = "a test that finds no value is to fail there"
)]

use std::sync::{Arc, Mutex};

use bsm_core::BotoSesManager;
use tempfile::TempDir;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_thousand_managers_on_one_file_parse_it_once() {
    let profile =
        |n| format!("[profile p{n}]\naws_access_key_id = AKIA{n}\naws_secret_access_key = s\n");
    let dir = TempDir::new().unwrap();
    let (config, credentials) = (dir.path().join("config"), dir.path().join("credentials"));
    std::fs::write(&config, (0..1_000).map(profile).collect::<String>()).unwrap();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    for number in 0..1_000 {
        let bsm = BotoSesManager::builder()
            .profile_name(format!("p{number}"))
            .config_file(&config)
            .shared_credentials_file(&credentials)
            .environment([])
            .build();
        let keys = bsm.credentials().await.unwrap();
        assert_eq!(keys.access_key_id(), format!("AKIA{number}"));
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let count = |event: &str| log.lines().filter(|line| line.contains(event)).count();
    assert_eq!(count("parsing a profile file"), 1);
    assert_eq!(count("reading a profile file"), 2_000);
}

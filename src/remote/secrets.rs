//! The secrets of a run: each is asked for once, however many hosts need it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::secret::{Prompt, PromptError, Secret};
use crate::cluster::SecretSource;
use crate::regular_file;

/// How often a passphrase may be mistyped.
const TRIES: usize = 3;

/// Answers by question; holding the lock while asking makes the others wait for the same answer.
pub(super) struct Secrets {
    prompt: Arc<dyn Prompt>,
    answers: Mutex<HashMap<String, Result<Secret, String>>>,
    asking: AtomicUsize,
}

impl Secrets {
    pub(super) fn new(prompt: Arc<dyn Prompt>) -> Self {
        Self { prompt, answers: Mutex::default(), asking: AtomicUsize::new(0) }
    }

    /// The passphrase of the key in `path`: the one for which `fits` is true.
    pub(super) async fn passphrase(&self, path: &Path, fits: impl Fn(&Secret) -> bool) -> Result<Secret, String> {
        let question = format!("Passphrase of {}: ", path.display());
        self.ask(question, TRIES, fits).await
    }

    /// The password that sudo wants from `user`.
    pub(super) async fn sudo_password(&self, user: &str, source: &SecretSource) -> Result<Secret, String> {
        match source {
            SecretSource::Environment(name) => std::env::var(name)
                .map(Secret::new)
                .map_err(|error| format!("the environment variable {name} with the password: {error}")),
            SecretSource::File(path) => regular_file::read_text(path, regular_file::SECRET)
                .map(|text| Secret::new(text.strip_suffix('\n').unwrap_or(&text).to_owned()))
                .map_err(|error| format!("the file {} with the password: {error}", path.display())),
            SecretSource::Prompt => self.ask(format!("sudo password of {user}: "), 1, |_| true).await,
        }
    }

    async fn ask(&self, question: String, tries: usize, fits: impl Fn(&Secret) -> bool) -> Result<Secret, String> {
        let asking = Asking::new(&self.asking);
        let mut answers = self.answers.lock().await;
        if let Some(answer) = answers.get(&question) {
            return answer.clone();
        }
        let mut answer = Err("the passphrase is wrong".to_owned());
        for _ in 0..tries {
            let (prompt, text) = (Arc::clone(&self.prompt), question.clone());
            let typed = tokio::task::spawn_blocking(move || prompt.ask(&text)).await;
            match typed.unwrap_or_else(|error| Err(PromptError::Failed(error.to_string()))) {
                Ok(secret) if fits(&secret) => {
                    answer = Ok(secret);
                    break;
                }
                Ok(_) => {}
                Err(error) => {
                    answer = Err(error.to_string());
                    break;
                }
            }
        }
        answers.insert(question, answer.clone());
        drop(asking);
        answer
    }

    /// Runs `work` for at most `limit`, not counting the time in which a person is being asked.
    pub(super) async fn within<F: Future>(&self, limit: Duration, work: F) -> Option<F::Output> {
        let mut work = std::pin::pin!(work);
        loop {
            match tokio::time::timeout(limit, &mut work).await {
                Ok(output) => return Some(output),
                Err(_) if self.asking.load(Ordering::Relaxed) > 0 => {}
                Err(_) => return None,
            }
        }
    }
}

/// Counts a question that is open, also when the one who asked goes away.
struct Asking<'a>(&'a AtomicUsize);

impl<'a> Asking<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Typist {
        answers: std::sync::Mutex<Vec<&'static str>>,
    }

    impl Prompt for Typist {
        fn ask(&self, _: &str) -> Result<Secret, PromptError> {
            self.answers.lock().unwrap().pop().map(|text| Secret::new(text.into())).ok_or(PromptError::NoTerminal)
        }
    }

    fn secrets(answers: &[&'static str]) -> Secrets {
        Secrets::new(Arc::new(Typist { answers: std::sync::Mutex::new(answers.iter().rev().copied().collect()) }))
    }

    #[tokio::test]
    async fn a_question_is_asked_once() {
        let secrets = secrets(&["one", "two"]);
        let (first, second) = tokio::join!(
            secrets.sudo_password("ops", &SecretSource::Prompt),
            secrets.sudo_password("ops", &SecretSource::Prompt)
        );
        assert_eq!((first.unwrap().expose(), second.unwrap().expose()), ("one", "one"));
        assert_eq!(secrets.sudo_password("other", &SecretSource::Prompt).await.unwrap().expose(), "two");
    }

    #[tokio::test]
    async fn a_mistyped_passphrase_is_asked_again_but_not_for_ever() {
        let right = |secret: &Secret| secret.expose() == "right";
        let secrets = secrets(&["wrong", "right", "wrong", "wrong", "wrong", "right"]);
        assert_eq!(secrets.passphrase(Path::new("/a"), right).await.unwrap().expose(), "right");
        assert_eq!(secrets.passphrase(Path::new("/b"), right).await, Err("the passphrase is wrong".into()));
        assert_eq!(secrets.passphrase(Path::new("/b"), right).await, Err("the passphrase is wrong".into()));
    }

    #[tokio::test]
    async fn nobody_to_ask_is_an_answer_too() {
        let error = secrets(&[]).passphrase(Path::new("/a"), |_| true).await;
        assert_eq!(error, Err("there is no terminal to ask for it on".into()));
    }

    #[tokio::test]
    async fn a_password_file_loses_its_last_newline_only() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " a b \n\n").unwrap();
        let source = SecretSource::File(file.path().to_owned());
        assert_eq!(secrets(&[]).sudo_password("ops", &source).await.unwrap().expose(), " a b \n");
        let endless = secrets(&[]).sudo_password("ops", &SecretSource::File("/dev/zero".into())).await.unwrap_err();
        assert!(endless.contains("it is a device"), "{endless}");
        let missing = SecretSource::File("/nowhere/at/all".into());
        let error = secrets(&[]).sudo_password("ops", &missing).await.unwrap_err();
        assert!(error.starts_with("the file /nowhere/at/all with the password: "), "{error}");
    }

    #[tokio::test]
    async fn time_stands_still_while_somebody_is_asked() {
        let secrets = secrets(&[]);
        let limit = Duration::from_millis(2);
        let asked = async {
            let _asking = Asking::new(&secrets.asking);
            tokio::time::sleep(limit * 10).await;
        };
        assert_eq!(secrets.within(limit, asked).await, Some(()));
        assert_eq!(secrets.within(limit, std::future::pending::<()>()).await, None);
    }
}

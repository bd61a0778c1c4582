//! Servers for tests: they answer what they were told to, in that order, and remember what they
//! were asked. Never opens a connection.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::exchange::{Answer, Error, Exchange, Method, Request};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `GET https://...`
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Answers to come, and questions that came.
#[derive(Debug, Default)]
pub(crate) struct Script {
    answers: RefCell<VecDeque<Result<Answer, Error>>>,
    asked: RefCell<Vec<Asked>>,
}

impl Script {
    pub(crate) fn of<const N: usize>(answers: [Result<Answer, Error>; N]) -> Rc<Self> {
        let script = Self::default();
        script.answers.borrow_mut().extend(answers);
        Rc::new(script)
    }

    /// What was asked since the last time, once all answers were given.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        assert!(self.answers.borrow().is_empty(), "answers that nobody asked for");
        self.asked.take()
    }

    /// The first lines of it.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    pub(crate) fn then(&self, answer: Result<Answer, Error>) {
        self.answers.borrow_mut().push_back(answer);
    }
}

impl Exchange for Rc<Script> {
    fn send(&self, request: Request<'_>) -> Result<Answer, Error> {
        let (method, body) = match request.method {
            Method::Get => ("GET", &b""[..]),
            Method::Post(body) => ("POST", body),
            Method::Put(body) => ("PUT", body),
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.asked.borrow_mut().push(Asked {
            line: format!("{method} {}", request.url),
            headers: request.headers.iter().map(owned).collect(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        let answer = self.answers.borrow_mut().pop_front();
        let answer = answer.unwrap_or_else(|| panic!("nobody expects {method} {}", request.url))?;
        let bytes = u64::try_from(answer.body.len()).unwrap();
        assert!(bytes <= request.body_max_bytes, "a real exchange would have refused this");
        Ok(answer)
    }
}

/// An answer.
pub(crate) fn says(status: u16, body: impl AsRef<[u8]>) -> Result<Answer, Error> {
    Ok(Answer { status, retry_after: None, body: body.as_ref().to_vec() })
}

/// A refusal that asks to be left alone.
pub(crate) fn asks_for(status: u16, seconds: u64) -> Result<Answer, Error> {
    Ok(Answer { status, retry_after: Some(Duration::from_secs(seconds)), body: Vec::new() })
}

/// No answer.
pub(crate) fn is_away() -> Result<Answer, Error> {
    Err(Error::Unreachable { host: "a".into(), reason: "connection refused".into() })
}

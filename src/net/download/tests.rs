//! Downloads from servers that misbehave, one fault a test: resumed, taken from elsewhere, or an
//! error; never an end that looks like a good one.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Instant;

use sha2::Digest as _;

use super::origin::Answer;
use super::*;
use exchange::Error as Net;

/// A file of 100 000 bytes, no two near ones alike.
fn file() -> Vec<u8> {
    (0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect()
}

/// One request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    url: String,
    range: Option<u64>,
    if_range: Option<String>,
}

/// One answer.
#[derive(Clone)]
struct Given {
    status: u16,
    headers: Vec<(&'static str, String)>,
    length: Option<u64>,
    body: Vec<u8>,
    /// How the body ends, where it does not just end.
    then: Option<Net>,
    retry_after: Option<Duration>,
    slow: Duration,
}

impl Given {
    /// What a good server answers, whose file has this ETag.
    fn good(asked: &Asked, etag: &str) -> Self {
        let file = file();
        let same = asked.if_range.as_ref().is_none_or(|tag| tag == etag);
        let begin = asked.range.filter(|_| same);
        let total = file.len();
        let mut headers = vec![("etag", etag.to_owned())];
        if let Some(begin) = begin {
            headers.push(("content-range", format!("bytes {begin}-{}/{total}", total - 1)));
        }
        let body = file[usize::try_from(begin.unwrap_or(0)).unwrap()..].to_vec();
        Self {
            status: if begin.is_some() { 206 } else { 200 },
            headers,
            length: Some(u64::try_from(body.len()).unwrap()),
            body,
            then: None,
            retry_after: None,
            slow: Duration::ZERO,
        }
    }

    fn status(status: u16) -> Self {
        Self { status, ..Self::good(&Asked::default(), "\"1\"") }
    }

    /// Ends after so many bytes, though it promised more.
    fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }
}

impl Answer for Given {
    fn status(&self) -> u16 {
        self.status
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn length(&self) -> Option<u64> {
        self.length
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn host(&self) -> String {
        "h".into()
    }

    fn read(&mut self, into: &mut [u8]) -> Result<usize, Net> {
        std::thread::sleep(self.slow);
        let len = into.len().min(self.body.len());
        if len == 0 {
            return self.then.take().map_or(Ok(0), Err);
        }
        for (to, from) in into.iter_mut().zip(self.body.drain(..len)) {
            *to = from;
        }
        Ok(len)
    }
}

type Reply = Box<dyn FnOnce(&Asked) -> Result<Given, Net>>;

/// Servers that answer as told; afterwards they are good ones.
#[derive(Default)]
struct Fake {
    replies: RefCell<VecDeque<Reply>>,
    asked: RefCell<Vec<Asked>>,
    /// What is answered when nothing is told.
    otherwise: Option<fn(&Asked) -> Given>,
}

impl Origin for &Fake {
    type Answer = Given;

    fn open(&self, url: &str, headers: &[(&str, &str)]) -> Result<Given, Net> {
        let find = |name| headers.iter().find(|(known, _)| *known == name).map(|found| found.1);
        let range = find("range").map(|range| {
            let begin = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap();
            begin.parse().unwrap()
        });
        let asked = Asked { url: url.into(), range, if_range: find("if-range").map(Into::into) };
        self.asked.borrow_mut().push(asked.clone());
        match (self.replies.borrow_mut().pop_front(), self.otherwise) {
            (Some(reply), _) => reply(&asked),
            (None, Some(otherwise)) => Ok(otherwise(&asked)),
            (None, None) => Ok(Given::good(&asked, "\"1\"")),
        }
    }
}

impl Fake {
    fn telling(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self { replies: RefCell::new(replies.into_iter().collect()), ..Self::default() }
    }

    fn always(otherwise: fn(&Asked) -> Given) -> Self {
        Self { otherwise: Some(otherwise), ..Self::default() }
    }

    fn ranges(&self) -> Vec<Option<u64>> {
        self.asked.borrow().iter().map(|asked| asked.range).collect()
    }

    fn urls(&self) -> Vec<String> {
        self.asked.borrow().iter().map(|asked| asked.url.clone()).collect()
    }
}

fn reply(reply: impl FnOnce(&Asked) -> Given + 'static) -> Reply {
    Box::new(move |asked| Ok(reply(asked)))
}

/// Of two mirrors, hardly any pause.
fn wanted() -> Wanted {
    let quick = Duration::from_millis(1);
    let patience = Patience { pauses: 3, pause: quick, pause_max: quick, ..Patience::default() };
    Wanted { patience, ..Wanted::url("one", patience) }
}

fn two() -> Wanted {
    Wanted { urls: vec!["one".into(), "two".into()], ..wanted() }
}

/// All that can be read, and how it ends.
fn all(fake: &Fake, wanted: Wanted) -> (Vec<u8>, Result<(), Error>, Tally) {
    let account = Account::default();
    let mut source = Source::new(fake, wanted, Stop::default(), account.clone());
    let mut all = Vec::new();
    let mut some = [0; 4096];
    let end = loop {
        match source.read(&mut some) {
            Ok(0) => break Ok(()),
            Ok(len) => all.extend_from_slice(&some[..len]),
            Err(error) => break Err(error),
        }
    };
    (all, end, account.tally())
}

/// It is all there.
fn whole(fake: &Fake, wanted: Wanted) -> Tally {
    let (bytes, end, tally) = all(fake, wanted);
    assert_eq!(end, Ok(()));
    assert!(bytes == file(), "{} bytes", bytes.len());
    tally
}

fn failure(fake: &Fake, wanted: Wanted) -> Error {
    let (bytes, end, _) = all(fake, wanted);
    assert!(file().starts_with(&bytes), "{} bytes", bytes.len());
    end.unwrap_err()
}

#[test]
fn a_connection_that_breaks_is_resumed_where_it_broke_and_no_byte_comes_twice() {
    let cuts = [1_usize, 4095, 4096, 50_000];
    let fake =
        Fake::telling(cuts.map(|cut| reply(move |asked| Given::good(asked, "\"1\"").cut(cut))));
    let tally = whole(&fake, wanted());
    assert_eq!(fake.ranges(), [None, Some(1), Some(4096), Some(8192), Some(58_192)]);
    let conditions =
        fake.asked.borrow().iter().skip(1).all(|asked| asked.if_range.as_deref() == Some("\"1\""));
    assert!(conditions);
    assert_eq!(tally, Tally { received_bytes: 100_000, wasted_bytes: 0, resumes: 4 });
}

#[test]
fn an_error_in_the_middle_is_resumed_too() {
    let broken = |error: Net| {
        reply(move |asked| Given { then: Some(error), ..Given::good(asked, "\"1\"").cut(5000) })
    };
    let (host, reason) = (String::from("h"), String::from("reset"));
    let fake = Fake::telling([
        broken(Net::Unreachable { host: host.clone(), reason: reason.clone() }),
        broken(Net::Tls { host: host.clone(), reason: reason.clone() }),
        broken(Net::Malformed { host, reason }),
    ]);
    assert_eq!(whole(&fake, wanted()).resumes, 3);
}

#[test]
fn a_server_without_ranges_is_read_past_what_is_there() {
    let from_0 = |asked: &Asked| Given::good(&Asked { range: None, ..asked.clone() }, "\"1\"");
    let fake = Fake::telling([reply(move |asked| from_0(asked).cut(60_000)), reply(from_0)]);
    let tally = whole(&fake, wanted());
    assert_eq!(tally, Tally { received_bytes: 160_000, wasted_bytes: 60_000, resumes: 1 });
}

#[test]
fn a_file_that_changed_is_an_error_and_its_bytes_are_not_handed_out() {
    let begun = || reply(|asked| Given::good(asked, "\"1\"").cut(5000));
    let later: [fn(&Asked) -> Given; 5] = [
        |asked| Given::good(asked, "\"2\""),
        |asked| Given::good(asked, "\"1\"").header("etag", "\"2\""),
        |asked| Given::good(asked, "\"1\"").header("content-range", "bytes 5000-99999/100001"),
        |_| Given::status(416),
        |_| Given { length: Some(99_999), ..Given::status(200) },
    ];
    for (number, later) in later.into_iter().enumerate() {
        let error = failure(&Fake::telling([begun(), reply(later)]), wanted());
        assert!(matches!(error, Error::Changed { .. }), "{number}: {error}");
    }
}

#[test]
fn without_an_etag_the_date_tells_and_without_both_the_length_does() {
    let dated =
        |asked: &Asked, date: &str| Given::good(asked, "W/\"1\"").header("last-modified", date);
    let fake = Fake::telling([
        reply(move |asked| dated(asked, "Monday").cut(5000)),
        reply(move |asked| {
            assert_eq!(asked.if_range.as_deref(), Some("Monday"));
            let asked = Asked { if_range: None, ..asked.clone() };
            dated(&asked, "Monday").cut(5000)
        }),
        reply(move |asked| dated(&Asked { if_range: None, ..asked.clone() }, "Tuesday")),
    ]);
    assert!(matches!(failure(&fake, wanted()), Error::Changed { .. }));
    let plain = |asked: &Asked| {
        let mut given = Given::good(asked, "");
        given.headers.retain(|(name, _)| *name != "etag");
        given
    };
    let fake = Fake::telling([reply(move |asked| plain(asked).cut(5000)), reply(plain)]);
    assert_eq!(whole(&fake, wanted()).resumes, 1);
}

#[test]
fn a_part_that_was_not_asked_for_is_never_handed_out() {
    for told in ["bytes 4999-99999/100000", "bytes 0-99999/100000", "bytes 5001-99999/100000", ""] {
        let fake = Fake::telling([
            reply(|asked| Given::good(asked, "\"1\"").cut(5000)),
            reply(move |asked| Given::good(asked, "\"1\"").header("content-range", told)),
        ]);
        let error = failure(&fake, wanted());
        assert!(matches!(error, Error::Exchange(Net::Malformed { .. })), "{told}: {error}");
    }
}

#[test]
fn another_server_takes_over_from_one_that_is_wrong() {
    for status in [403, 404, 410] {
        let fake = Fake::telling([reply(move |_| Given::status(status))]);
        whole(&fake, two());
        assert_eq!(fake.urls(), ["one", "two"]);
    }
    let fake = Fake::telling([
        reply(|asked| Given::good(asked, "\"1\"").cut(5000)),
        reply(|asked| Given::good(asked, "\"1\"")),
    ]);
    whole(&fake, two());
    let resumed = Asked { url: "two".into(), range: Some(5000), if_range: None };
    assert_eq!(fake.asked.borrow()[1], resumed);
}

#[test]
fn another_servers_bytes_go_on_only_where_something_tells_that_they_are_the_same() {
    let begun = || reply(|asked| Given::good(asked, "\"1\"").cut(5000));
    let other = || reply(|asked| Given::good(asked, "\"2\""));
    // Back to the first one, as the second has another version.
    let fake = Fake::telling([begun(), other()]);
    whole(&fake, two());
    assert_eq!(fake.urls(), ["one", "two", "one"]);
    // With a digest of the whole file it may be tried.
    let digest = Some(sha2::Sha256::digest(file()).into());
    let fake = Fake::telling([begun(), other()]);
    whole(&fake, Wanted { digest, ..two() });
    assert_eq!(fake.urls(), ["one", "two"]);
}

#[test]
fn tries_without_a_gain_are_counted_and_end() {
    let fake = Fake::always(|_| Given::status(503));
    let error = failure(&fake, wanted());
    assert!(matches!(error, Error::Exchange(Net::Refused { status: 503, .. })), "{error}");
    assert_eq!(fake.asked.borrow().len(), 4);
    let fake = Fake::always(|_| Given::status(503));
    assert!(matches!(failure(&fake, two()), Error::Exchange(Net::Refused { .. })));
    assert_eq!(fake.asked.borrow().len(), 8);
    // The same place over and over again.
    let fake = Fake::always(|asked| Given::good(asked, "\"1\"").cut(0));
    let error = failure(&fake, wanted());
    assert_eq!(error, Error::Truncated { host: "h".into(), missing: 100_000 });
    // A refusal that stays is not asked for twice.
    let fake = Fake::always(|_| Given::status(404));
    assert!(matches!(failure(&fake, two()), Error::Exchange(Net::Refused { status: 404, .. })));
    assert_eq!(fake.urls(), ["one", "two"]);
}

#[test]
fn a_server_is_left_alone_as_long_as_it_asks() {
    let pause = Duration::from_millis(300);
    let busy = reply(move |_| Given { retry_after: Some(pause), ..Given::status(503) });
    let begin = Instant::now();
    whole(&Fake::telling([busy]), wanted());
    assert!(begin.elapsed() >= pause);
    let long = Some(Duration::from_secs(86_400));
    let busy = reply(move |_| Given { retry_after: long, ..Given::status(503) });
    assert!(matches!(failure(&Fake::telling([busy]), wanted()), Error::Exchange(_)));
}

#[test]
fn a_length_is_told_by_the_server_or_by_the_offer_and_nothing_follows_it() {
    let endless = |asked: &Asked| {
        let mut given = Given { length: None, ..Given::good(asked, "\"1\"") };
        given.body.extend(file());
        given
    };
    let error = failure(&Fake::always(endless), wanted());
    assert!(matches!(error, Error::Exchange(Net::Malformed { .. })), "{error}");
    let size_bytes = Some(100_000);
    whole(
        &Fake::always(|asked| Given { length: None, ..Given::good(asked, "\"1\"") }),
        Wanted { size_bytes, ..wanted() },
    );
    for size in [99_999, 100_001] {
        let wanted = Wanted { size_bytes: Some(size), ..wanted() };
        let error = failure(&Fake::default(), wanted);
        assert!(matches!(error, Error::Changed { .. }), "{size}: {error}");
    }
    let wanted = Wanted { size_bytes: Some(100_500), ..wanted() };
    let (bytes, end, _) = all(&Fake::always(endless), wanted);
    assert!(matches!(end, Err(Error::Changed { .. })), "{end:?}");
    assert!(bytes.len() <= 100_500);
}

#[test]
fn a_file_with_another_digest_than_offered_does_not_end_well() {
    let digest = Some(sha2::Sha256::digest(file()).into());
    whole(&Fake::default(), Wanted { digest, ..wanted() });
    let error = failure(&Fake::default(), Wanted { digest: Some([0; 32]), ..wanted() });
    assert!(matches!(error, Error::Digest { .. }), "{error}");
}

#[test]
fn a_coded_body_is_refused() {
    let fake = Fake::always(|asked| Given::good(asked, "\"1\"").header("content-encoding", "gzip"));
    let error = failure(&fake, wanted());
    assert!(matches!(error, Error::Exchange(Net::Malformed { .. })), "{error}");
}

#[test]
fn a_server_that_drips_is_given_up_after_its_tries() {
    let fake = Fake::always(|asked| Given {
        slow: Duration::from_millis(2),
        ..Given::good(asked, "\"1\"")
    });
    let patience =
        Patience { span: Duration::from_millis(1), span_bytes: u64::MAX, ..wanted().patience };
    let account = Account::default();
    let wanted = Wanted { patience, ..wanted() };
    let mut source = Source::new(&fake, wanted, Stop::default(), account);
    let mut byte = [0];
    let end = loop {
        if let Err(error) = source.read(&mut byte) {
            break error;
        }
    };
    assert!(matches!(end, Error::Stalled { .. }), "{end}");
    assert!(fake.asked.borrow().len() <= 6);
}

#[test]
fn a_request_to_stop_ends_a_pause() {
    let begin = Instant::now();
    let busy = || Given { retry_after: Some(Duration::from_secs(60)), ..Given::status(503) };
    let fake = Fake::telling([reply(move |_| busy())]);
    let stop = Stop::new(move || begin.elapsed() > Duration::from_millis(100));
    let mut source = Source::new(&fake, wanted(), stop, Account::default());
    assert_eq!(source.read(&mut [0; 8]), Err(Net::Interrupted.into()));
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_is_skipped_is_not_asked_for_unless_it_is_near() {
    let fake = Fake::default();
    let account = Account::default();
    let mut source = Source::new(&fake, wanted(), Stop::default(), account.clone());
    let mut some = [0; 100];
    source.seek(10_000).unwrap();
    assert_eq!(source.read(&mut some), Ok(100));
    assert_eq!(some[..], file()[10_000..10_100]);
    source.seek(20_000).unwrap();
    assert_eq!(source.read(&mut some), Ok(100));
    assert_eq!(some[..], file()[20_000..20_100]);
    assert_eq!(fake.ranges(), [Some(10_000)]);
    source.seek(100_000).unwrap();
    assert_eq!(source.read(&mut some), Ok(0));
    assert!(source.seek(100_001).is_err());
    assert_eq!(account.tally().wasted_bytes, 9_900);
}

#[test]
fn a_pipe_hands_over_what_the_reader_wants_also_after_it_went_on_elsewhere() {
    let file = file();
    for skips in [0, 1, 7, 5000, 99_000] {
        let pipe = Pipe::new();
        std::thread::scope(|scope| {
            let theirs = &pipe;
            scope.spawn(move || {
                let fake = Fake::always(|asked| Given::good(asked, "\"1\""));
                let source = Source::new(&fake, wanted(), Stop::default(), Account::default());
                receive(source, theirs);
            });
            let mut at = 0;
            let mut used: Option<Buffer> = None;
            loop {
                match pipe.next(used.take(), TURN) {
                    Next::End(end) => break assert_eq!(end, Ok(())),
                    Next::Late => panic!("nothing came"),
                    Next::Buffer(mut buffer) => {
                        assert_eq!(buffer.at, at);
                        let len = (buffer.end - buffer.start).min(1000);
                        let begin = usize::try_from(at).unwrap();
                        assert!(buffer.bytes[buffer.start..][..len] == file[begin..][..len]);
                        buffer.take(len);
                        at = (buffer.at + skips).min(100_000);
                        if buffer.cut(at) {
                            at += u64::try_from(buffer.end - buffer.start).unwrap();
                        }
                        pipe.seek(at, Some(buffer));
                    }
                }
            }
            pipe.close();
        });
    }
}

//! Compressed streams behind their limits: what comes out is bounded, an end is final, and where
//! decoding can go on it goes on as if it had never stopped.

use embedded_io::Read;
use twinslot::stream::decode::{Coding, Decoder as _, Decoders, Mark, WINDOW_BYTES};

use super::said;
use super::shell::decode::{Decoder, HeapDecoders};
use crate::sim::artifact::Source;

const MEMORY_MAX: u64 = 1 << 20;
/// No stream is read further: what follows is more of the same.
const FUEL: usize = 4 << 20;

/// The first byte chooses the decoder.
pub fn decode(data: &[u8]) {
    let Some((choice, stream)) = data.split_first() else { return };
    let codings = [Coding::Gzip, Coding::Xz, Coding::Zstd, Coding::None];
    let coding = codings[usize::from(*choice) % codings.len()];
    let Some(decoder) = open(coding, stream) else { return };
    let whole = drain(decoder, 65536, FUEL);
    let small = drain(open(coding, stream).unwrap(), 777, FUEL);
    same(&whole, &small, 0);
    for mark in [small.marks.first(), small.marks.last()].into_iter().flatten() {
        goes_on(coding, stream, *mark, &whole);
    }
    lies(coding, stream, u64::from(*choice), &whole.content);
}

/// What came out, where it could be gone on at, and whether it came to a good end; out of fuel it
/// came to none.
struct Decoded {
    content: Vec<u8>,
    marks: Vec<Mark>,
    is_good: Option<bool>,
}

fn open(coding: Coding, stream: &[u8]) -> Option<Decoder<Source<'_>>> {
    let mut decoders = HeapDecoders { memory_max: MEMORY_MAX };
    decoders.open(coding, Source(stream)).map_err(said).ok()
}

fn drain(mut decoder: Decoder<Source<'_>>, portion: usize, fuel: usize) -> Decoded {
    let (mut room, mut content, mut marks) = (vec![0; portion], Vec::new(), Vec::new());
    let is_good = loop {
        let len = portion.min(fuel - content.len());
        match decoder.read(&mut room[..len]) {
            Ok(0) if len == 0 => break None,
            Ok(0) => {
                assert_eq!(decoder.read(&mut room).unwrap(), 0);
                break Some(true);
            }
            Ok(len) => content.extend_from_slice(&room[..len]),
            Err(error) => {
                assert_eq!(decoder.read(&mut room).unwrap_err(), error);
                said(error);
                break Some(false);
            }
        }
        marks.extend(decoder.mark());
        marks.dedup();
    };
    Decoded { content, marks, is_good }
}

/// `rest` is what is in `whole` from byte `at` on. Portions change nothing, but for how much comes
/// out before damage is seen.
fn same(whole: &Decoded, rest: &Decoded, at: usize) {
    if [whole.is_good, rest.is_good].contains(&Some(true)) {
        assert_eq!(whole.is_good, rest.is_good, "from byte {at}");
        assert!(whole.content[at..] == rest.content, "from byte {at}");
    }
}

/// From a mark on comes what came after it, and from one with another checksum no good end.
fn goes_on(coding: Coding, stream: &[u8], mark: Mark, whole: &Decoded) {
    let at = usize::try_from(mark.decoded_bytes).unwrap();
    let rest = |mark| {
        let mut decoder = open(coding, stream).unwrap();
        decoder.resume(mark, window(&whole.content, at)).unwrap();
        drain(decoder, 65536, FUEL - at)
    };
    same(whole, &rest(mark), at);
    if coding == Coding::Gzip {
        assert_ne!(rest(Mark { crc: !mark.crc, ..mark }).is_good, Some(true));
    }
}

/// A mark that nobody made does no harm; xz and zstd take none at all.
fn lies(coding: Coding, stream: &[u8], place: u64, content: &[u8]) {
    let mark = Mark { coded_bytes: place, decoded_bytes: place << 12, crc: 0 };
    let mut decoder = open(coding, stream).unwrap();
    match decoder.resume(mark, window(content, content.len())) {
        Ok(()) => {
            assert!(matches!(coding, Coding::Gzip | Coding::None));
            drain(decoder, 65536, FUEL);
        }
        Err(error) => {
            said(error);
            assert_eq!(decoder.read(&mut [0]).unwrap_err(), error);
        }
    }
}

/// The content before byte `at` that a decoder may look back on.
fn window(content: &[u8], at: usize) -> &[u8] {
    &content[at.saturating_sub(WINDOW_BYTES)..at]
}

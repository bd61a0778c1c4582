//! Compressed streams behind their limits: what comes out is bounded, and an end is final.

use embedded_io::Read;
use twinslot::stream::decode::{Coding, Decoders};

use super::said;
use super::shell::decode::HeapDecoders;
use crate::sim::artifact::Source;

const MEMORY_MAX: u64 = 1 << 20;
/// No stream is read further: what follows is more of the same.
const FUEL: usize = 4 << 20;

/// The first byte chooses the decoder.
pub fn decode(data: &[u8]) {
    let Some((choice, stream)) = data.split_first() else { return };
    let codings = [Coding::Gzip, Coding::Xz, Coding::Zstd, Coding::None];
    let coding = codings[usize::from(*choice) % codings.len()];
    let (large, small) = (in_portions(coding, stream, 65536), in_portions(coding, stream, 777));
    // Portions change nothing, but for how much comes out before damage is seen.
    if [large.2, small.2].contains(&Some(true)) {
        assert_eq!(large, small, "{coding}");
    }
}

/// How much came out, a sum of it, and whether it came to a good end.
fn in_portions(coding: Coding, stream: &[u8], portion: usize) -> (usize, u32, Option<bool>) {
    let mut decoders = HeapDecoders { memory_max: MEMORY_MAX };
    let mut decoder = match decoders.open(coding, Source(stream)) {
        Ok(decoder) => decoder,
        Err(error) => {
            said(error);
            return (0, 0, None);
        }
    };
    let (mut room, mut count) = (vec![0; portion], 0);
    let mut sum = crc32fast::Hasher::new();
    loop {
        let len = portion.min(FUEL - count);
        match decoder.read(&mut room[..len]) {
            Ok(0) if len == 0 => return (count, sum.finalize(), None),
            Ok(0) => {
                assert_eq!(decoder.read(&mut room).unwrap(), 0);
                return (count, sum.finalize(), Some(true));
            }
            Ok(len) => {
                sum.update(&room[..len]);
                count += len;
            }
            Err(error) => {
                assert_eq!(decoder.read(&mut room).unwrap_err(), error);
                said(error);
                return (count, sum.finalize(), Some(false));
            }
        }
    }
}

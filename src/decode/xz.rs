//! xz over xz4rust, which decodes every block in one dictionary. Never allocates after `open`.

use twinslot::stream::decode::Coding;
use twinslot::stream::{Error, Source};
use xz4rust::{XzDecoder, XzError, XzNextBlockResult};

use super::NO_MEMORY;
use super::input::Input;

/// One xz stream of any number of blocks, all in the dictionary of the first. Neither a second
/// stream nor stream padding may follow.
pub(super) struct Xz<R> {
    input: Input<R>,
    decoder: Box<XzDecoder<'static>>,
    dictionary: u64,
    ended: bool,
}

impl<R: Source> Xz<R> {
    pub(super) fn open(mut input: Input<R>, allowed: u64) -> Result<Self, Error> {
        let dictionary = input.ask_first(allowed)?;
        let len = usize::try_from(dictionary).map_err(|_| NO_MEMORY)?;
        Ok(Self {
            input,
            decoder: XzDecoder::in_heap_with_alloc_dict_size(len, len),
            dictionary,
            ended: false,
        })
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        while !self.ended {
            let input = self.input.fill()?;
            if input.is_empty() {
                return Err(self.input.truncated(1));
            }
            let (taken, made) = match self.decoder.decode(input, out) {
                Ok(XzNextBlockResult::NeedMoreData(taken, made)) => (taken, made),
                Ok(XzNextBlockResult::EndOfStream(taken, made)) => {
                    self.ended = true;
                    (taken, made)
                }
                Err(error) => return Err(self.refusal(&error)),
            };
            self.input.consume(taken);
            if made > 0 {
                return Ok(made);
            }
        }
        if self.input.fill()?.is_empty() {
            return Ok(0);
        }
        Err(self.input.trailing())
    }

    fn refusal(&self, error: &XzError) -> Error {
        let text = match *error {
            XzError::DictionaryTooLarge(asked) => {
                return Error::Window { coding: Coding::Xz, asked, allowed: self.dictionary };
            }
            XzError::ContentCrc32Mismatch(..) | XzError::ContentCrc64Mismatch(..) => {
                "content checksum mismatch"
            }
            XzError::StreamHeaderCrc32Mismatch(..)
            | XzError::BlockHeaderCrc32Mismatch(..)
            | XzError::IndexCrc32Mismatch(..)
            | XzError::FooterCrc32Mismatch(..) => "header checksum mismatch",
            XzError::UnsupportedBlockHeaderOption
            | XzError::UnsupportedBcjFilter(_)
            | XzError::UnsupportedCheckType(_) => "unsupported option",
            _ => "not xz",
        };
        self.input.damaged(text)
    }
}

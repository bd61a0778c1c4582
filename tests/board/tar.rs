//! Tar as mender-artifact writes it, and as it would not: every field can be made to lie.

/// A header, sealed with its checksum.
pub fn header(name: &str, size: u64, kind: u8) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(257, "ustar\x0000");
    block[156] = kind;
    seal(&mut block);
    block
}

/// Puts the right checksum over whatever the header says.
pub fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block[..512].iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A whole member: header, bytes, padding.
pub fn member(name: &str, bytes: &[u8]) -> Vec<u8> {
    framed(header(name, u64::try_from(bytes.len()).unwrap(), b'0'), bytes)
}

/// Bytes and their padding behind a header that may say something else.
pub fn framed(header: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    let mut member = header;
    member.extend(bytes);
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

/// A PAX header with these records, each with its true length.
pub fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let record = |(key, value): &(&str, &str)| {
        let rest = key.len() + value.len() + 3;
        let length = (1..9).map(|digits| rest + digits).find(|n| n.to_string().len() + rest == *n);
        format!("{} {key}={value}\n", length.unwrap())
    };
    raw_pax(records.iter().map(record).collect::<String>().as_bytes())
}

/// A PAX header that holds these bytes.
pub fn raw_pax(bytes: &[u8]) -> Vec<u8> {
    framed(header("PaxHeaders.0/x", u64::try_from(bytes.len()).unwrap(), b'x'), bytes)
}

/// Members one after another, and the end.
pub fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = members.concat();
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// Where a member of an archive lies.
#[derive(Debug, Clone)]
pub struct Span {
    pub name: String,
    pub header: usize,
    pub start: usize,
    pub end: usize,
}

/// The members of a well-formed archive, PAX headers among them.
pub fn spans(archive: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut at = 0;
    while archive[at] != 0 {
        let text = |from: usize, to: usize| {
            let field = archive[at + from..at + to].split(|byte| *byte == 0).next();
            String::from_utf8(field.unwrap().to_vec()).unwrap()
        };
        let size = usize::from_str_radix(text(124, 136).trim(), 8).unwrap();
        let start = at + 512;
        spans.push(Span { name: text(0, 100), header: at, start, end: start + size });
        at = (start + size).next_multiple_of(512);
    }
    spans
}

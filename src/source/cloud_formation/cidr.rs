//! `Fn::Cidr` and `Fn::GetAZs`: what networks are made of.

use std::net::IpAddr;

use super::{
    super::tree::{Node, Value},
    function::{Call, Failure, plain},
    stack::{Open, is_open},
};

/// The most blocks that may be asked for
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html>).
const MOST: usize = 256;

impl<'a> Call<'_, '_, 'a> {
    /// Returns the blocks that a larger one is divided into. If that is open, so are they.
    pub(super) fn cidr(&mut self) -> Result<Node<'a>, Failure> {
        let [block, count, rest @ ..] = super::function::list(self.argument)? else {
            return Err(Failure::new(
                "it takes a block, a count and a number of bits",
            ));
        };
        let block = self.text_of(block)?;
        let count = self.text_of(count)?;
        let bits = match rest {
            [bits] => Some(self.text_of(bits)?),
            _ => None,
        };
        let count: Option<usize> = count.parse().ok();
        let count = count.filter(|count| (1..=MOST).contains(count));
        let count = count.ok_or_else(|| Failure::new("its count is 1 to 256"))?;
        let texts = if block.contains("${") {
            let name = plain(&block);
            let open = |index| {
                let name = format!("{name}.Cidr.{index}");
                let given = self.stack.given_globally(&name).map(str::to_owned);
                given.unwrap_or_else(|| self.stack.open_globally(&name, Open::Resource))
            };
            (0..count).map(open).collect()
        } else {
            let bits = bits.as_deref().map_or(Ok(DEFAULT_BITS), str::parse);
            let bits = bits.map_err(|_| Failure::new("its number of bits is no number"))?;
            let blocks = blocks(&block, count, bits);
            blocks.ok_or_else(|| {
                Failure::new(format!("{block} has no {count} blocks of {bits} bits"))
            })?
        };
        let elements = texts.into_iter().map(|text| self.string(text)).collect();
        let (value, span) = (Value::List(elements), self.span);
        Ok(Node { value, span })
    }

    /// Returns the availability zones of a region: which an account has, and how many, only AWS says.
    pub(super) fn zones(&mut self) -> Result<Node<'a>, Failure> {
        let region = match &self.argument.value {
            Value::List(elements) if elements.is_empty() => String::new(),
            _ => self.only_text()?,
        };
        let name = if region.is_empty() || region == self.stack.values.region() {
            "AvailabilityZones".to_owned()
        } else {
            plain(&format!("AvailabilityZones.{region}"))
        };
        let given = self.stack.given_globally(&name).map(str::to_owned);
        let texts: Vec<String> = match given {
            Some(given) => given.split(',').map(|it| it.trim().to_owned()).collect(),
            None => vec![self.stack.open_globally(&name, Open::Resource)],
        };
        let elements = texts.into_iter().map(|text| self.string(text)).collect();
        let (value, span) = (Value::List(elements), self.span);
        Ok(Node { value, span })
    }

    /// Returns one of the availability zones, by its index: two of them are not the same.
    pub(super) fn zone(&mut self, index: &str) -> String {
        let name = format!("AvailabilityZones.{index}");
        let given = self.stack.given_globally(&name).map(str::to_owned);
        given.unwrap_or_else(|| self.stack.open_globally(&name, Open::Resource))
    }

    /// Returns the length of a list.
    pub(super) fn length(&mut self) -> Result<Node<'a>, Failure> {
        let value = self.evaluated(self.argument)?;
        let elements = value.elements();
        let elements = elements.ok_or_else(|| Failure::new("Fn::Length takes a list"))?;
        if let [only] = elements
            && only.text().is_some_and(is_open)
        {
            let name = only.text().unwrap_or_default();
            let name = name.trim_matches(['$', '{', '}']);
            return Err(Failure::new(format!(
                "the length of a list is not known: give it with --set {name}=A,B"
            )));
        }
        let length = elements.len().to_string();
        let (value, span) = (Value::Number(length.into()), self.span);
        Ok(Node { value, span })
    }
}

/// The bits of a block without a number of them: as many addresses as a subnet of the size `/24` has.
const DEFAULT_BITS: u32 = 8;

/// Returns the first blocks of `bits` bits in a larger one; `None` if it is none, or has not so many.
fn blocks(block: &str, count: usize, bits: u32) -> Option<Vec<String>> {
    let (address, length) = block.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u32 = length.parse().ok()?;
    let (start, width) = match address {
        IpAddr::V4(it) => (u128::from(it.to_bits()), u32::BITS),
        IpAddr::V6(it) => (it.to_bits(), u128::BITS),
    };
    let host = width.checked_sub(length)?;
    let inner = host.checked_sub(bits)?;
    let count = u128::try_from(count).ok()?;
    // A shift by all bits is none.
    if bits == 0 || inner < u128::BITS && count > (1_u128 << inner) {
        return None;
    }
    let mask = u128::MAX.checked_shl(host).unwrap_or_default();
    let first = start & mask;
    let texts = (0..count).map(|index| {
        let step = index.checked_shl(bits)?;
        let at = first.checked_add(step)?;
        let address = match address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(at).ok()?.into()),
            IpAddr::V6(_) => IpAddr::V6(at.into()),
        };
        Some(format!("{address}/{}", width - bits))
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_divided() {
        for (block, count, bits, expected) in [
            ("10.0.0.0/16", 2, 8, Some("10.0.0.0/24 10.0.1.0/24")),
            ("10.0.3.7/22", 2, 9, Some("10.0.0.0/23 10.0.2.0/23")),
            ("10.0.0.0/22", 3, 9, None),
            ("10.0.0.0/24", 2, 0, None),
            ("10.0.0.0/33", 1, 8, None),
            ("0.0.0.0/0", 1, 31, Some("0.0.0.0/1")),
            (
                "2001:db8::/56",
                2,
                64,
                Some("2001:db8::/64 2001:db8:0:1::/64"),
            ),
            ("::/0", 2, 128, None),
            ("network", 1, 8, None),
        ] {
            let found = blocks(block, count, bits).map(|it| it.join(" "));
            assert_eq!(found.as_deref(), expected, "{block} {count} {bits}");
        }
    }
}

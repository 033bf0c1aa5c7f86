//! Canonical JSON, as RFC 8785 (JSON Canonicalization Scheme) writes it.
//!
//! Keys are sorted by their UTF-16 code units, numbers are written as
//! ECMAScript prints a double, and there is no white space. Everything else is
//! the compact form of `serde_json`, whose serialiser does the work: here is
//! only what differs. Objects are written where they stand and put in order when
//! they end, so a value costs one buffer, not one for each key.
//!
//! Numbers that no double holds exactly lose digits, as the scheme demands. That
//! what is read back has the same bytes takes `float_roundtrip` of `serde_json`.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// The largest whole number below which a double skips none (2^53).
const WHOLE_MOST: u64 = 1 << 53;

/// The canonical bytes of a value.
///
/// # Errors
/// When the value does not serialise, has a key that is no text, or one twice.
/// A number that is not finite is written as `null`.
pub(super) fn to_vec(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let written = Written(RefCell::new(Vec::with_capacity(256)));
    let canonical = Canonical {
        written: &written,
        members: Vec::new(),
        objects: Vec::new(),
        ordered: Vec::new(),
    };
    value.serialize(&mut Serializer::with_formatter(&written, canonical))?;
    Ok(written.0.into_inner())
}

/// What is written so far: the serialiser adds to it, the end of an object
/// reorders it.
struct Written(RefCell<Vec<u8>>);

impl io::Write for &Written {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One member of an object, as places in what is written: `"key":value,`.
#[derive(Clone, Copy)]
struct Member {
    start: usize,
    /// Behind the closing quote of the key.
    key_end: usize,
    /// Behind the comma.
    end: usize,
    /// Whether the key is written as it is compared: ASCII, and nothing escaped.
    plain: bool,
}

impl Member {
    /// The key as it is written, without its quotes.
    fn key<'a>(&self, written: &'a [u8]) -> &'a [u8] {
        &written[self.start + 1..self.key_end - 1]
    }

    fn compare(&self, other: &Self, written: &[u8]) -> Ordering {
        if self.plain && other.plain {
            return self.key(written).cmp(other.key(written));
        }
        let units = |member: &Self| {
            let text = &written[member.start..member.key_end];
            // It was written as a JSON text a moment ago.
            let key: String = serde_json::from_slice(text).unwrap_or_default();
            key.encode_utf16().collect::<Vec<u16>>()
        };
        units(self).cmp(&units(other))
    }
}

/// What RFC 8785 asks beyond compact JSON.
struct Canonical<'a> {
    written: &'a Written,
    /// The members of all open objects, the innermost last.
    members: Vec<Member>,
    /// Where in `members` those of each open object begin.
    objects: Vec<usize>,
    /// The members of one object in their order; kept for its memory.
    ordered: Vec<u8>,
}

impl Canonical<'_> {
    fn here(&self) -> usize {
        self.written.0.borrow().len()
    }

    /// Brings the members of an object into their order.
    fn sort(&mut self, from: usize) -> io::Result<()> {
        let mut written = self.written.0.borrow_mut();
        let members = &mut self.members[from..];
        let rises = |a: &Member, b: &Member| a.compare(b, &written) == Ordering::Less;
        if members.is_sorted_by(rises) {
            return Ok(());
        }
        let start = members[0].start;
        members.sort_by(|a, b| a.compare(b, &written));
        if !members.is_sorted_by(rises) {
            return Err(io::Error::other("an object has a key twice"));
        }
        self.ordered.clear();
        for member in members {
            self.ordered
                .extend_from_slice(&written[member.start..member.end]);
        }
        written[start..].copy_from_slice(&self.ordered);
        Ok(())
    }
}

impl Formatter for Canonical<'_> {
    fn write_i64<W: ?Sized + io::Write>(&mut self, to: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() <= WHOLE_MOST {
            return write!(to, "{value}");
        }
        self.write_f64(to, value as f64)
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, to: &mut W, value: u64) -> io::Result<()> {
        if value <= WHOLE_MOST {
            return write!(to, "{value}");
        }
        self.write_f64(to, value as f64)
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, to: &mut W, value: i128) -> io::Result<()> {
        self.write_f64(to, value as f64)
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, to: &mut W, value: u128) -> io::Result<()> {
        self.write_f64(to, value as f64)
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, to: &mut W, value: f32) -> io::Result<()> {
        self.write_f64(to, f64::from(value))
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, to: &mut W, value: f64) -> io::Result<()> {
        // Not finite never comes here: `serde_json` has made it null.
        to.write_all(ryu_js::Buffer::new().format_finite(value).as_bytes())
    }

    #[inline]
    fn begin_object<W: ?Sized + io::Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.objects.push(self.members.len());
        to.write_all(b"{")
    }

    #[inline]
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W, _: bool) -> io::Result<()> {
        let here = self.here();
        self.members.push(Member {
            start: here,
            key_end: here,
            end: here,
            plain: true,
        });
        Ok(())
    }

    #[inline]
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, to: &mut W) -> io::Result<()> {
        let here = self.here();
        if let Some(member) = self.members.last_mut() {
            member.key_end = here;
            let written = self.written.0.borrow();
            let key = member.key(&written);
            member.plain = key.is_ascii() && !key.contains(&b'\\');
        }
        to.write_all(b":")
    }

    #[inline]
    fn end_object_value<W: ?Sized + io::Write>(&mut self, to: &mut W) -> io::Result<()> {
        // Each member brings its comma, so that members can change places.
        to.write_all(b",")?;
        let here = self.here();
        if let Some(member) = self.members.last_mut() {
            member.end = here;
        }
        Ok(())
    }

    #[inline]
    fn end_object<W: ?Sized + io::Write>(&mut self, to: &mut W) -> io::Result<()> {
        let from = self.objects.pop().unwrap_or_default();
        if self.members.len() > from {
            self.sort(from)?;
            self.members.truncate(from);
            let _comma = self.written.0.borrow_mut().pop();
        }
        to.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Map, Number, Value, json};

    use super::*;

    fn text(value: &impl Serialize) -> String {
        String::from_utf8(to_vec(value).unwrap()).unwrap()
    }

    /// RFC 8785, section 3.2.2 and 3.2.3.
    #[test]
    fn the_examples_of_the_standard() {
        let value: Value = serde_json::from_str(
            r#"{ "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                 "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
                 "literals": [null, true, false] }"#,
        )
        .unwrap();
        assert_eq!(
            text(&value),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        let written = text(&value);
        let places = [
            "\\r",
            "1",
            "\u{80}",
            "\u{f6}",
            "\u{20ac}",
            "\u{1f600}",
            "\u{fb33}",
        ]
        .map(|key| written.find(&format!("\"{key}\":")).unwrap());
        assert!(places.is_sorted(), "{written}");
    }

    /// RFC 8785, appendix B: bits of a double, and its text.
    #[test]
    fn the_numbers_of_the_standard() {
        for (bits, says) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(text(&f64::from_bits(bits)), says, "{bits:x}");
        }
    }

    #[test]
    fn what_is_no_canonical_json_is_refused_or_null() {
        struct Twice;
        impl Serialize for Twice {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_map([("a", 1), ("b", 2), ("a", 3)])
            }
        }
        assert!(to_vec(&Twice).is_err());
        assert!(to_vec(&BTreeMap::from([(vec![1], 2)])).is_err());
        assert_eq!(text(&[f64::NAN]), "[null]");
    }

    /// Shapes that a `Value` never has.
    #[test]
    fn every_shape_is_written_as_by_the_reference() {
        #[derive(Serialize)]
        enum Shape {
            Unit,
            Of(i128),
            Pair(u128, f32),
            Named { z: char, a: () },
        }
        #[derive(Serialize)]
        struct Whole<'a> {
            zeta: Vec<Shape>,
            #[serde(flatten)]
            rest: BTreeMap<&'a str, Option<u64>>,
            numbers: BTreeMap<i64, bool>,
            alpha: (u8, i8, u64, i64),
            bytes: serde_json::Value,
        }
        let whole = Whole {
            zeta: vec![
                Shape::Unit,
                Shape::Of(i128::MIN),
                Shape::Pair(u128::MAX, 0.1),
                Shape::Named {
                    z: '\u{1f600}',
                    a: (),
                },
            ],
            rest: BTreeMap::from([("mid\"dle", Some(u64::MAX)), ("a", None), ("", Some(1))]),
            numbers: BTreeMap::from([(-1, true), (10, false), (9, true), (i64::MAX, true)]),
            alpha: (u8::MAX, i8::MIN, WHOLE_MOST + 1, i64::MIN),
            bytes: json!({}),
        };
        let reference = serde_json_canonicalizer::to_vec(&whole).unwrap();
        assert_eq!(text(&whole), String::from_utf8(reference).unwrap());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let number = prop_oneof![
            any::<i64>().prop_map(Number::from),
            any::<u64>().prop_map(Number::from),
            any::<u64>().prop_filter_map("finite", |bits| Number::from_f64(f64::from_bits(bits))),
            (-1e9..1e9).prop_filter_map("finite", Number::from_f64),
        ];
        // Half of the keys are close together, so that order and escapes matter.
        let key = prop_oneof![
            "[ab\"\\\\\u{e000}\u{1f600}\u{7f}\u{0}-\u{1f} ]{0,4}",
            any::<String>()
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            number.prop_map(Value::Number),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::btree_map(key.clone(), inner, 0..8)
                    .prop_map(|members| Value::from(Map::from_iter(members))),
            ]
        })
    }

    proptest! {
        #[test]
        fn bytes_are_those_of_the_reference(value in any_value()) {
            let reference = serde_json_canonicalizer::to_vec(&value).unwrap();
            prop_assert_eq!(text(&value), String::from_utf8(reference).unwrap());
        }
    }
}

//! An object is an object: a deserializer around another that refuses an array where a struct is meant, at any depth.
//!
//! serde's derived structs take an array too and read it field by field, so that `["LAMP-OIL", 1]` would pass for
//! `{"sku": "LAMP-OIL", "quantity": 1}` until somebody puts a field between the two.
//! Everything else is handed through; what a struct holds is wrapped again on the way down.
//! Values that serde buffers first (untagged and internally tagged enums, `flatten`) are out of its reach.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use std::fmt;

/// A deserializer, a seed or an access whose structs must be objects.
pub(crate) struct Objects<T>(pub(crate) T);

/// A visitor of what [`Objects`] hands out.
struct Visiting<V> {
    visitor: V,
    /// A struct is meant.
    object: bool,
}

fn any<V>(visitor: V) -> Visiting<V> {
    Visiting {
        visitor,
        object: false,
    }
}

fn object<V>(visitor: V) -> Visiting<V> {
    Visiting {
        visitor,
        object: true,
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Objects<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, object(visitor))
    }

    // JSON says itself what it is, so these need no hint.
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(any(visitor))
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_i128(any(visitor))
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_u128(any(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(any(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, any(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, any(visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Visiting<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        if self.object {
            return Err(Error::invalid_type(Unexpected::Seq, &"an object"));
        }
        self.visitor.visit_seq(Objects(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Objects(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Objects(variant))
    }

    fn visit_some<D: Deserializer<'de>>(self, some: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Objects(some))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Objects(inner))
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.visitor.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        self.visitor.visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        self.visitor.visit_u64(value)
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<V::Value, E> {
        self.visitor.visit_i128(value)
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<V::Value, E> {
        self.visitor.visit_u128(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        self.visitor.visit_f64(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        self.visitor.visit_str(value)
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<V::Value, E> {
        self.visitor.visit_borrowed_str(value)
    }

    fn visit_string<E: Error>(self, value: String) -> Result<V::Value, E> {
        self.visitor.visit_string(value)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Objects<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Objects(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Objects(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Objects(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Objects<A> {
    type Error = A::Error;
    type Variant = Objects<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, content) = self.0.variant_seed(seed)?;
        Ok((name, Objects(content)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Objects(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, object(visitor))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Line {
        sku: String,
        quantity: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Named(Line),
        Pair(Line, bool),
        Fields { line: Line },
    }

    /// Every way in which a struct can be inside another.
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Whole {
        one: Option<Line>,
        many: Vec<Line>,
        named: BTreeMap<String, Line>,
        kind: Option<Kind>,
        tuple: Option<(i64, f64, Line)>,
        boxed: Option<Box<Line>>,
        numbers: Vec<i64>,
    }

    fn read(json: &str) -> Result<Whole, serde_json::Error> {
        let mut parser = serde_json::Deserializer::from_str(json);
        Whole::deserialize(Objects(&mut parser))
    }

    const LINE: &str = r#"{"sku":"LAMP-OIL","quantity":1}"#;
    const ARRAY: &str = r#"["LAMP-OIL",1]"#;

    #[test]
    fn an_array_for_a_struct_is_refused_wherever_it_stands_and_an_object_is_read() {
        for place in [
            r#"{"one":_}"#,
            r#"{"many":[_]}"#,
            r#"{"named":{"a":_}}"#,
            r#"{"kind":{"named":_}}"#,
            r#"{"kind":{"pair":[_,true]}}"#,
            r#"{"kind":{"fields":{"line":_}}}"#,
            r#"{"tuple":[-1,1,_]}"#,
            r#"{"boxed":_}"#,
        ] {
            let good = place.replace('_', LINE);
            let plain: Whole = serde_json::from_str(&good).unwrap();
            assert_eq!(read(&good).unwrap(), plain, "{good}");
            let bad = place.replace('_', ARRAY);
            assert!(
                serde_json::from_str::<Whole>(&bad).is_ok(),
                "serde takes {bad}"
            );
            let reason = read(&bad).unwrap_err().to_string();
            assert!(
                reason.contains("sequence, expected an object"),
                "{bad}: {reason}"
            );
        }
        assert!(read(r#"{"kind":{"fields":[{"sku":"a","quantity":1}]}}"#).is_err());
        assert!(read("[]").is_err());
    }

    #[test]
    fn what_has_no_array_for_a_struct_is_read_as_before() {
        const NUMBERS: [&str; 10] = [
            "0",
            "-1",
            "1.5",
            "1e3",
            "4294967296",
            "18446744073709551616",
            "\"1\"",
            "null",
            "true",
            "[]",
        ];
        const KINDS: [&str; 6] = ["\"plain\"", "\"odd\"", "null", "7", "{}", "\"\\u00fc\""];
        // Where in the text the mistake is seen may differ by a few columns.
        let told = |error: serde_json::Error| {
            error
                .to_string()
                .split(" at line")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        for (quantity, number) in NUMBERS
            .iter()
            .flat_map(|one| NUMBERS.map(|two| (*one, two)))
        {
            for kind in KINDS {
                let json = format!(
                    r#"{{"one":{{"sku":{kind},"quantity":{quantity}}},"numbers":[1,{number}],"kind":{kind},"more":[1,{{}}]}}"#
                );
                let plain = serde_json::from_str::<Whole>(&json).map_err(told);
                assert_eq!(read(&json).map_err(told), plain, "{json}");
            }
        }
    }
}

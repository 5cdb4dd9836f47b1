//! Which events patterns match: as the guide says, and as the matcher of AWS, version 2.1.0, answered.

use serde_json::Value;

use super::super::Pattern;

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Refused,
}

use Answer::{No, Refused, Yes};

fn answer(pattern: &str, event: &str) -> Answer {
    let event: Value = serde_json::from_str(event).unwrap();
    match Pattern::parse(pattern) {
        Ok(pattern) if pattern.matches(&event) => Yes,
        Ok(_) => No,
        Err(_) => Refused,
    }
}

fn check(cases: &[(&str, &str, Answer)]) {
    for (pattern, event, expected) in cases {
        assert_eq!(answer(pattern, event), *expected, "{pattern} {event}");
    }
}

#[test]
fn the_matcher_of_aws_answers_the_same() {
    let people = r#"{"e":[{"f":"Anna","l":"Smith"},{"f":"Peter","l":"Jones"}]}"#;
    check(&[
        (r#"{"s":["a"]}"#, r#"{"s":["b","a"]}"#, Yes),
        (r#"{"s":["a"]}"#, r#"{"s":[]}"#, No),
        (r#"{"s":[null]}"#, r#"{"s":null}"#, Yes),
        (r#"{"s":[null]}"#, "{}", No),
        (r#"{"s":[""]}"#, r#"{"s":""}"#, Yes),
        (r#"{"s":[""]}"#, r#"{"s":null}"#, No),
        (r#"{"s":[300]}"#, r#"{"s":300.0}"#, Yes),
        (r#"{"s":[300]}"#, r#"{"s":"300"}"#, No),
        (r#"{"s":[true]}"#, r#"{"s":"true"}"#, No),
        (r#"{"s":[{"prefix":""}]}"#, r#"{"s":"abc"}"#, Yes),
        (r#"{"s":[{"prefix":""}]}"#, r#"{"s":3}"#, No),
        (
            r#"{"s":[{"prefix":{"equals-ignore-case":"AB"}}]}"#,
            r#"{"s":"aBc"}"#,
            Yes,
        ),
        (r#"{"s":[{"anything-but":"a"}]}"#, r#"{"s":"b"}"#, Yes),
        (r#"{"s":[{"anything-but":"a"}]}"#, r#"{"s":3}"#, Yes),
        (r#"{"s":[{"anything-but":"a"}]}"#, r#"{"s":null}"#, Yes),
        (r#"{"s":[{"anything-but":"a"}]}"#, "{}", No),
        (r#"{"s":[{"anything-but":3}]}"#, r#"{"s":"x"}"#, Yes),
        (r#"{"s":[{"anything-but":3}]}"#, r#"{"s":true}"#, Yes),
        (
            r#"{"s":[{"anything-but":["a","b"]}]}"#,
            r#"{"s":["a","c"]}"#,
            Yes,
        ),
        (
            r#"{"s":[{"anything-but":["a","b"]}]}"#,
            r#"{"s":["a","b"]}"#,
            No,
        ),
        (r#"{"s":[{"anything-but":["a",1]}]}"#, "{}", Refused),
        (
            r#"{"s":[{"anything-but":{"prefix":["a","b"]}}]}"#,
            r#"{"s":"c"}"#,
            Yes,
        ),
        (
            r#"{"s":[{"anything-but":{"wildcard":"*x*"}}]}"#,
            r#"{"s":"axb"}"#,
            No,
        ),
        (
            r#"{"s":[{"anything-but":{"numeric":[">",1]}}]}"#,
            "{}",
            Refused,
        ),
        (r#"{"s":[{"numeric":[">",0,"<=",5]}]}"#, r#"{"s":5}"#, Yes),
        (r#"{"s":[{"numeric":[">",0,"<=",5]}]}"#, r#"{"s":"5"}"#, No),
        (r#"{"s":[{"numeric":["<",5,">",0]}]}"#, "{}", Refused),
        (r#"{"s":[{"numeric":[">",5,"<",0]}]}"#, "{}", Refused),
        (r#"{"s":[{"exists":true}]}"#, r#"{"s":null}"#, Yes),
        (r#"{"s":[{"exists":true}]}"#, r#"{"s":{"a":1}}"#, No),
        (r#"{"s":[{"exists":true}]}"#, r#"{"s":[]}"#, No),
        (r#"{"s":[{"exists":false}]}"#, "{}", Yes),
        (r#"{"s":[{"exists":false}]}"#, r#"{"s":{"a":1}}"#, Yes),
        (r#"{"s":[{"exists":false}]}"#, r#"{"s":null}"#, No),
        (
            r#"{"s":[{"cidr":"10.0.0.0/24"}]}"#,
            r#"{"s":"10.0.0.77"}"#,
            Yes,
        ),
        (
            r#"{"s":[{"cidr":"10.0.0.0/24"}]}"#,
            r#"{"s":"10.0.1.1"}"#,
            No,
        ),
        (r#"{"s":[{"cidr":"10.0.0.0"}]}"#, "{}", Refused),
        (r#"{"s":[{"cidr":"10.0.0.0/33"}]}"#, "{}", Refused),
        (r#"{"s":["2001:db8:0::1"]}"#, r#"{"s":"2001:db8::1"}"#, Yes),
        (
            r#"{"s":[{"equals-ignore-case":"STRASSE"}]}"#,
            r#"{"s":"straße"}"#,
            No,
        ),
        (r#"{"s":[{"wildcard":"a*c"}]}"#, r#"{"s":"ac"}"#, Yes),
        (r#"{"s":[{"wildcard":"a*c"}]}"#, r#"{"s":"abbc"}"#, Yes),
        (r#"{"s":[{"wildcard":"a\\*c"}]}"#, r#"{"s":"a*c"}"#, Yes),
        (r#"{"s":[{"wildcard":"a**c"}]}"#, "{}", Refused),
        (r#"{"s":[{"wildcard":"a\\xc"}]}"#, "{}", Refused),
        (r#"{"$or":[{"a":[1]},{"b":[2]}]}"#, r#"{"b":2}"#, Yes),
        (
            r#"{"c":[9],"$or":[{"a":[1],"b":[2]},{"d":[{"numeric":["<",5]}]}]}"#,
            r#"{"c":9,"d":4}"#,
            Yes,
        ),
        (r#"{"$or":[{"a":[1]}]}"#, "{}", Refused),
        (r#"{"$or":[{"a":[1]},{}]}"#, "{}", Refused),
        (r#"{"$or":{"a":[1]}}"#, "{}", Refused),
        (r#"{"$or":[{"prefix":[1]},{"a":[1]}]}"#, "{}", Refused),
        (r#"{"e":{"f":["Anna"],"l":["Jones"]}}"#, people, No),
        (r#"{"e":{"f":["Anna"],"l":["Smith"]}}"#, people, Yes),
        (r#"{"a.b":[1]}"#, r#"{"a":{"b":1}}"#, Yes),
        (r#"{"s":["a"],"s":["b"]}"#, "{}", Refused),
        (r#"{"s":[{"prefix":"a","suffix":"b"}]}"#, "{}", Refused),
        (r#"{"s":[{"regex":"a"}]}"#, "{}", Refused),
        (r#"{"s":"a"}"#, "{}", Refused),
        (r#"{"s":[["a"]]}"#, "{}", Refused),
        ("{}", "{}", Refused),
        (
            r#"{"a":[{"exists":false}],"b":[1]}"#,
            r#"{"a":[],"b":1}"#,
            Yes,
        ),
    ]);
}

#[test]
fn values_match_by_type_and_value() {
    check(&[
        (r#"{"s":["a",1,null]}"#, r#"{"s":1}"#, Yes),
        (r#"{"s":[false]}"#, r#"{"s":false}"#, Yes),
        (r#"{"s":[false]}"#, r#"{"s":true}"#, No),
        (r#"{"s":[false]}"#, r#"{"s":0}"#, No),
        (r#"{"s":[3e2]}"#, r#"{"s":300}"#, Yes),
        (r#"{"s":[0]}"#, r#"{"s":-0.0}"#, Yes),
        (
            r#"{"s":[9007199254740993]}"#,
            r#"{"s":9007199254740993}"#,
            Yes,
        ),
        (
            r#"{"s":[9007199254740993]}"#,
            r#"{"s":9007199254740992}"#,
            No,
        ),
        (r#"{"s":["a"]}"#, r#"{"s":"A"}"#, No),
        (r#"{"s":["a"]}"#, r#"["a"]"#, No),
        (r#"{"s":["a"]}"#, r#"[{"s":"a"}]"#, No),
        (r#"{"s":[1e400]}"#, "{}", Refused),
    ]);
}

#[test]
fn strings_match_by_their_ends_case_and_stars() {
    check(&[
        (r#"{"s":[{"suffix":"bc"}]}"#, r#"{"s":"abc"}"#, Yes),
        (r#"{"s":[{"suffix":"ab"}]}"#, r#"{"s":"abc"}"#, No),
        (r#"{"s":[{"suffix":""}]}"#, r#"{"s":""}"#, Yes),
        (
            r#"{"s":[{"suffix":{"equals-ignore-case":"É"}}]}"#,
            r#"{"s":"xé"}"#,
            Yes,
        ),
        (r#"{"s":[{"suffix":{"prefix":"a"}}]}"#, "{}", Refused),
        (r#"{"s":[{"suffix":1}]}"#, "{}", Refused),
        (r#"{"s":[{"prefix":"\""}]}"#, r#"{"s":"\"a"}"#, Yes),
        (r#"{"s":[{"equals-ignore-case":"É"}]}"#, r#"{"s":"é"}"#, Yes),
        (
            r#"{"s":[{"equals-ignore-case":"ab"}]}"#,
            r#"{"s":"ABC"}"#,
            No,
        ),
        (
            r#"{"s":[{"equals-ignore-case":"abc"}]}"#,
            r#"{"s":"AB"}"#,
            No,
        ),
        // Here the matcher of AWS says yes, because it looks for the two letters.
        (
            r#"{"s":[{"equals-ignore-case":"straße"}]}"#,
            r#"{"s":"STRASSE"}"#,
            No,
        ),
        (r#"{"s":[{"equals-ignore-case":"ı"}]}"#, r#"{"s":"I"}"#, Yes),
        (r#"{"s":[{"equals-ignore-case":"I"}]}"#, r#"{"s":"ı"}"#, No),
        (r#"{"s":[{"equals-ignore-case":null}]}"#, "{}", Refused),
        (r#"{"s":[{"wildcard":""}]}"#, r#"{"s":""}"#, Yes),
        (r#"{"s":[{"wildcard":"*"}]}"#, r#"{"s":""}"#, Yes),
        (r#"{"s":[{"wildcard":"*"}]}"#, r#"{"s":1}"#, No),
        (r#"{"s":[{"wildcard":"ab*ba"}]}"#, r#"{"s":"aba"}"#, No),
        (r#"{"s":[{"wildcard":"a*b*c"}]}"#, r#"{"s":"a-c-b-c"}"#, Yes),
        (r#"{"s":[{"wildcard":"a*b*b"}]}"#, r#"{"s":"a-b"}"#, No),
        (
            r#"{"s":[{"wildcard":"*.json"}]}"#,
            r#"{"s":"a.json.gz"}"#,
            No,
        ),
        (r#"{"s":[{"wildcard":"a\\*c"}]}"#, r#"{"s":"abc"}"#, No),
        (r#"{"s":[{"wildcard":"a\\\\"}]}"#, r#"{"s":"a\\"}"#, Yes),
        (r#"{"s":[{"wildcard":"a\\"}]}"#, "{}", Refused),
    ]);
}

#[test]
fn anything_but_needs_another_value() {
    check(&[
        (r#"{"s":[{"anything-but":""}]}"#, r#"{"s":""}"#, No),
        (r#"{"s":[{"anything-but":[1,2]}]}"#, r#"{"s":1.0}"#, No),
        (r#"{"s":[{"anything-but":"x"}]}"#, r#"{"s":[]}"#, No),
        (r#"{"s":[{"anything-but":"x"}]}"#, r#"{"s":{"a":1}}"#, No),
        (
            r#"{"s":[{"anything-but":{"suffix":"b"}}]}"#,
            r#"{"s":"ab"}"#,
            No,
        ),
        (
            r#"{"s":[{"anything-but":{"suffix":"b"}}]}"#,
            r#"{"s":5}"#,
            Yes,
        ),
        (
            r#"{"s":[{"anything-but":{"equals-ignore-case":["a","b"]}}]}"#,
            r#"{"s":"B"}"#,
            No,
        ),
        (
            r#"{"s":[{"anything-but":{"wildcard":["a*","*b"]}}]}"#,
            r#"{"s":"cc"}"#,
            Yes,
        ),
        // Other spellings of an address are other strings, although a value without operator matches them.
        (
            r#"{"s":[{"anything-but":"2001:db8:0::1"}]}"#,
            r#"{"s":"2001:db8::1"}"#,
            Yes,
        ),
        (r#"{"s":[{"anything-but":null}]}"#, "{}", Refused),
        (r#"{"s":[{"anything-but":[true]}]}"#, "{}", Refused),
        (r#"{"s":[{"anything-but":[]}]}"#, "{}", Refused),
        (r#"{"s":[{"anything-but":{"prefix":""}}]}"#, "{}", Refused),
        (
            r#"{"s":[{"anything-but":{"suffix":["a",""]}}]}"#,
            "{}",
            Refused,
        ),
        (r#"{"s":[{"anything-but":{"wildcard":[]}}]}"#, "{}", Refused),
        (
            r#"{"s":[{"anything-but":{"prefix":"a","suffix":"b"}}]}"#,
            "{}",
            Refused,
        ),
        (
            r#"{"s":[{"anything-but":{"prefix":{"equals-ignore-case":"a"}}}]}"#,
            "{}",
            Refused,
        ),
        (
            r#"{"s":[{"anything-but":9007199254740993}]}"#,
            "{}",
            Refused,
        ),
    ]);
}

#[test]
fn numbers_and_addresses_match_by_range() {
    check(&[
        (r#"{"s":[{"numeric":["=",0.1]}]}"#, r#"{"s":0.10}"#, Yes),
        (
            r#"{"s":[{"numeric":["=",6e9]}]}"#,
            r#"{"s":6000000000}"#,
            Yes,
        ),
        (r#"{"s":[{"numeric":[">",5]}]}"#, r#"{"s":5}"#, No),
        (r#"{"s":[{"numeric":[">=",5]}]}"#, r#"{"s":5}"#, Yes),
        (r#"{"s":[{"numeric":["<",5]}]}"#, r#"{"s":[9,4.9]}"#, Yes),
        (r#"{"s":[{"numeric":["<=",-5]}]}"#, r#"{"s":-5}"#, Yes),
        (r#"{"s":[{"numeric":[">=",1,"<",2]}]}"#, r#"{"s":2}"#, No),
        (r#"{"s":[{"numeric":[">=",5,"<=",5]}]}"#, "{}", Refused),
        (r#"{"s":[{"numeric":["!=",5]}]}"#, "{}", Refused),
        (r#"{"s":[{"numeric":["=",5,"<",6]}]}"#, "{}", Refused),
        (r#"{"s":[{"numeric":[">",5,">",6]}]}"#, "{}", Refused),
        (r#"{"s":[{"numeric":[">","5"]}]}"#, "{}", Refused),
        (r#"{"s":[{"numeric":[">"]}]}"#, "{}", Refused),
        (
            r#"{"s":[{"numeric":["=",9007199254740993]}]}"#,
            "{}",
            Refused,
        ),
        (r#"{"s":[{"exists":"true"}]}"#, "{}", Refused),
        (r#"{"s":["ABCD::"]}"#, r#"{"s":"abcd:0::0"}"#, Yes),
        (r#"{"s":["10.0.0.1"]}"#, r#"{"s":"::ffff:a00:1"}"#, Yes),
        (r#"{"s":["10.0.0.1"]}"#, r#"{"s":"010.0.0.1"}"#, Yes),
        (r#"{"s":["256.0.0.1"]}"#, r#"{"s":"256.0.0.1"}"#, Yes),
        (
            r#"{"s":[{"cidr":"10.0.0.9/8"}]}"#,
            r#"{"s":"10.255.0.1"}"#,
            Yes,
        ),
        (
            r#"{"s":[{"cidr":"10.0.0.0/0"}]}"#,
            r#"{"s":"200.0.0.1"}"#,
            Yes,
        ),
        (
            r#"{"s":[{"cidr":"10.0.0.0/31"}]}"#,
            r#"{"s":"10.0.0.2"}"#,
            No,
        ),
        (r#"{"s":[{"cidr":"10.0.0.0/32"}]}"#, "{}", Refused),
        (r#"{"s":[{"cidr":"10.0.0/24"}]}"#, "{}", Refused),
        (r#"{"s":[{"cidr":"host/24"}]}"#, "{}", Refused),
        (r#"{"s":[{"cidr":"10.0.0.0/-1"}]}"#, "{}", Refused),
        (
            r#"{"s":[{"cidr":"2001:db8::/32"}]}"#,
            r#"{"s":"2001:DB8:1::5"}"#,
            Yes,
        ),
        (
            r#"{"s":[{"cidr":"2001:db8::/127"}]}"#,
            r#"{"s":"2001:db8::2"}"#,
            No,
        ),
        (r#"{"s":[{"cidr":"2001:db8::/128"}]}"#, "{}", Refused),
        // Here the matcher of AWS compares digits, and says yes.
        (r#"{"s":[{"cidr":"0.0.0.0/0"}]}"#, r#"{"s":"::1"}"#, No),
        (r#"{"s":[{"cidr":"10.0.0.0/24"}]}"#, r#"{"s":"text"}"#, No),
    ]);
}

#[test]
fn choices_stand_beside_fields_and_nest() {
    check(&[
        (r#"{"$or":[{"a":[1]},{"b":[2]}]}"#, r#"{"a":2,"b":1}"#, No),
        (
            r#"{"x":{"$or":[{"a":[1]},{"b":[1]}]}}"#,
            r#"{"x":{"b":1}}"#,
            Yes,
        ),
        (
            r#"{"$or":[{"a":[1]},{"$or":[{"b":[1]},{"c":[1]}]}]}"#,
            r#"{"c":1}"#,
            Yes,
        ),
        (r#"{"$or":[{"a":[1]},{"a":[2]}]}"#, r#"{"a":2}"#, Yes),
        (
            r#"{"x":{"$or":[{"a":[1]},{"b":[1]}],"c":[1]}}"#,
            r#"{"x":[{"a":1},{"c":1}]}"#,
            No,
        ),
        (
            r#"{"x":{"$or":[{"a":[1]},{"b":[1]}],"c":[1]}}"#,
            r#"{"x":[{"a":1},{"c":1,"b":1}]}"#,
            Yes,
        ),
        (r#"{"$or":[{"a":{"regex":[1]}},{"b":[1]}]}"#, "{}", Refused),
        (r#"{"prefix":[1]}"#, r#"{"prefix":1}"#, Yes),
        (r#"{"$or":[{"a":[1]},"b"]}"#, "{}", Refused),
        (r#"{"a":[1],"$or":[{"a":[2]},{"b":[1]}]}"#, "{}", Refused),
        (
            r#"{"$or":[{"a":[1]},{"b":[1]}],"$or":[{"c":[1]},{"d":[1]}]}"#,
            "{}",
            Refused,
        ),
        // The matcher of AWS says no: it confuses the two conditions of one path.
        (
            r#"{"$or":[{"b":[{"exists":false},null]},{"b":[null,{"exists":true}]}]}"#,
            r#"{"b":""}"#,
            Yes,
        ),
    ]);
}

#[test]
fn fields_of_an_array_are_met_by_one_element() {
    check(&[
        (r#"{"a":[2]}"#, r#"{"a":[[1,2],[3]]}"#, Yes),
        (r#"{"a":{"b":[1]}}"#, r#"{"a":[[{"b":2}],[{"b":1}]]}"#, Yes),
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"{"a":[[{"b":1}],[{"c":2}]]}"#,
            No,
        ),
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"{"a":[[{"b":1},{"c":2}]]}"#,
            No,
        ),
        (
            r#"{"a":{"b":{"x":[1]},"c":[2]}}"#,
            r#"{"a":[{"b":[{"x":0},{"x":1}],"c":2}]}"#,
            Yes,
        ),
        (
            r#"{"a":{"b":{"x":[1]},"c":[2]}}"#,
            r#"{"a":[{"b":[{"x":1}]},{"c":2}]}"#,
            No,
        ),
        (
            r#"{"a":{"x":[1]},"b":{"x":[1]}}"#,
            r#"{"a":[{"x":0},{"x":1}],"b":[{"x":1}]}"#,
            Yes,
        ),
        (r#"{"a":[1],"a.b":[2]}"#, r#"{"a":[1,{"b":2}]}"#, Yes),
        (r#"{"a":[1],"a.b":[2]}"#, r#"{"a":[[1,5],{"b":2}]}"#, No),
        (
            r#"{"a":{"x":[1],"y":[{"exists":true}]}}"#,
            r#"{"a":[{"x":1},{"y":1}]}"#,
            No,
        ),
        (
            r#"{"a":{"x":[{"anything-but":1}]}}"#,
            r#"{"a":[{"x":1},{"x":2}]}"#,
            Yes,
        ),
    ]);
}

#[test]
fn absence_is_looked_for_in_the_element_that_an_earlier_path_chose() {
    check(&[
        (
            r#"{"a":{"x":[1],"y":[{"exists":false}]}}"#,
            r#"{"a":[{"x":1},{"y":2}]}"#,
            Yes,
        ),
        (
            r#"{"a":{"x":[1],"y":[{"exists":false}]}}"#,
            r#"{"a":[{"x":1,"y":2}]}"#,
            No,
        ),
        (
            r#"{"a":{"y":[1],"x":[{"exists":false}]}}"#,
            r#"{"a":[{"y":1},{"x":2}]}"#,
            No,
        ),
        (
            r#"{"a":{"y":[1],"x":[{"exists":false}]}}"#,
            r#"{"a":[{"y":1},{"z":2}]}"#,
            Yes,
        ),
        (
            r#"{"a":{"x":[{"exists":false}]}}"#,
            r#"{"a":[{"x":1},{"z":2}]}"#,
            No,
        ),
        (
            r#"{"a":{"x":[{"exists":false}]}}"#,
            r#"{"a":[{"y":1},{"z":2}]}"#,
            Yes,
        ),
        (
            r#"{"a":{"x":[{"exists":false},1],"y":[2]}}"#,
            r#"{"a":[{"x":1},{"y":2}]}"#,
            No,
        ),
        (
            r#"{"a":{"x":[{"exists":false},1],"y":[2]}}"#,
            r#"{"a":[{"x":1,"y":2},{"x":3}]}"#,
            Yes,
        ),
        (
            r#"{"a":{"b":{"x":[1],"y":[{"exists":false}]}}}"#,
            r#"{"a":[{"b":[{"x":1},{"y":1}]},{"b":[{"y":1}]}]}"#,
            Yes,
        ),
        // What is asked for in one element is not asked for in the next.
        (
            r#"{"a":{"a":[1],"b":{"x":[{"exists":false},1],"y":[2]}}}"#,
            r#"{"a":[{"a":1,"b":[{"x":1},{"y":2}]},{"a":1,"b":[{"y":2}]}]}"#,
            Yes,
        ),
        (
            r#"{"a":[{"exists":false}]}"#,
            r#"{"a":[[],{"b":1},[{}]]}"#,
            Yes,
        ),
        (r#"{"a":[{"exists":false}]}"#, r#"{"a":[[],[[null]]]}"#, No),
    ]);
}

#[test]
fn dots_are_levels() {
    check(&[
        (r#"{"a":{"b":[1]}}"#, r#"{"a.b":1}"#, Yes),
        (r#"{"a.b":{"c":[1]}}"#, r#"{"a":{"b.c":1}}"#, Yes),
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"{"a":{"b":1},"a.c":2}"#,
            Yes,
        ),
        (r#"{"a..b":[1]}"#, r#"{"a":{"":{"b":1}}}"#, Yes),
        (r#"{"":[1]}"#, r#"{"":1}"#, Yes),
        (r#"{"a.b":[1],"a":{"b":[2]}}"#, "{}", Refused),
        (r#"{"a.b":[1]}"#, r#"{"a":{"b":[2]},"a.b":1}"#, Yes),
        // Two spellings with arrays are one array; the matcher of AWS takes an element of each.
        (
            r#"{"a":{"b":{"x":[1],"y":[2]}}}"#,
            r#"{"a":{"b":[{"x":1}]},"a.b":[{"y":2}]}"#,
            No,
        ),
        (
            r#"{"a":{"b":{"x":[1],"y":[2]}}}"#,
            r#"{"a":{"b":[{"x":1}]},"a.b":[{"x":1,"y":2}]}"#,
            Yes,
        ),
        (
            r#"{"a":{"b":{"y":[2]}}}"#,
            r#"{"a":{"b":[{"x":1}]},"a.b":{"y":2}}"#,
            Yes,
        ),
    ]);
}

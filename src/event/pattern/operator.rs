//! Reads the alternatives of a field.

use super::{
    address::{Network, address},
    condition::{AnythingBut, Condition, Test},
    error::{Location, PatternError},
    node::Node,
    number::{Limit, Number, Range},
    text::{Folded, TextTest, Wildcard},
};

/// The operators, for people.
const OPERATORS: &str = "write one of prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists \
                         and cidr";
const ONE_OPERATOR: &str = "write an object for each operator";
const IGNORE_CASE: &str = "equals-ignore-case";

/// Reads the items of the array of a field.
pub(super) fn condition(items: &[Node], at: &Location) -> Result<Condition, PatternError> {
    if items.is_empty() {
        return Err(at.error(
            "an empty array matches nothing",
            "list the values that the field may have",
        ));
    }
    let mut condition = Condition::default();
    for (index, item) in items.iter().enumerate() {
        let at = at.item(index);
        match item {
            Node::Null => condition.null = true,
            Node::Bool(value) => {
                condition.booleans.insert(*value);
            }
            Node::Number(number) => condition.numbers.extend(Number::of(number)),
            Node::String(text) => {
                condition.addresses.extend(address(text));
                condition.strings.insert(text.clone());
            }
            Node::Object(members) => operator(members, &at, &mut condition)?,
            Node::Array(_) => {
                return Err(at.wrong_type(item, "list values and operators in one array"));
            }
        }
    }
    Ok(condition)
}

fn operator(
    members: &[(String, Node)],
    at: &Location,
    condition: &mut Condition,
) -> Result<(), PatternError> {
    let (name, argument) = single(members, at)?;
    let at = at.member(name);
    let test = match name {
        "exists" => {
            match argument {
                Node::Bool(true) => condition.present = true,
                Node::Bool(false) => condition.absent = true,
                _ => return Err(at.wrong_type(argument, "write true or false")),
            }
            return Ok(());
        }
        "prefix" | "suffix" | IGNORE_CASE | "wildcard" => {
            Test::Text(text_test(name, argument, &at)?)
        }
        "anything-but" => Test::AnythingBut(anything_but(argument, &at)?),
        "numeric" => Test::Numeric(numeric(argument, &at)?),
        "cidr" => {
            let text = text(argument, &at)?;
            let network = Network::parse(text);
            Test::Cidr(network.map_err(|(problem, instead)| at.error(problem, instead))?)
        }
        _ => return Err(at.error(format!("{name:?} is not an operator"), OPERATORS)),
    };
    condition.tests.push(test);
    Ok(())
}

/// Returns the only member of an object.
fn single<'n>(
    members: &'n [(String, Node)],
    at: &Location,
) -> Result<(&'n str, &'n Node), PatternError> {
    match members {
        [(name, argument)] => Ok((name, argument)),
        [] => Err(at.error("the object has no operator", OPERATORS)),
        _ => Err(at.error("the object has several members", ONE_OPERATOR)),
    }
}

fn text<'n>(node: &'n Node, at: &Location) -> Result<&'n str, PatternError> {
    match node {
        Node::String(text) => Ok(text),
        _ => Err(at.wrong_type(node, "write a string")),
    }
}

/// Reads an operator that looks at strings.
fn text_test(name: &str, argument: &Node, at: &Location) -> Result<TextTest, PatternError> {
    if let (Node::Object(members), "prefix" | "suffix") = (argument, name) {
        let (inner, argument) = single(members, at)?;
        let at = at.member(inner);
        if inner != IGNORE_CASE {
            let problem = format!("{name} does not take {inner:?}");
            return Err(at.error(problem, "write a string or equals-ignore-case"));
        }
        let folded = Folded::new(text(argument, &at)?);
        return Ok(match name {
            "prefix" => TextTest::PrefixIgnoringCase(folded),
            _ => TextTest::SuffixIgnoringCase(folded),
        });
    }
    plain_test(name, text(argument, at)?, at)
}

fn plain_test(name: &str, text: &str, at: &Location) -> Result<TextTest, PatternError> {
    Ok(match name {
        "prefix" => TextTest::Prefix(text.to_owned()),
        "suffix" => TextTest::Suffix(text.to_owned()),
        IGNORE_CASE => TextTest::EqualsIgnoringCase(Folded::new(text)),
        "wildcard" => {
            let wildcard = Wildcard::parse(text);
            TextTest::Wildcard(wildcard.map_err(|(problem, instead)| at.error(problem, instead))?)
        }
        _ => {
            let problem = format!("{name:?} cannot stand in anything-but");
            let instead = "write prefix, suffix, equals-ignore-case or wildcard";
            return Err(at.error(problem, instead));
        }
    })
}

fn anything_but(argument: &Node, at: &Location) -> Result<AnythingBut, PatternError> {
    let mut values = AnythingBut::default();
    if let Node::Object(members) = argument {
        let (name, argument) = single(members, at)?;
        let at = at.member(name);
        // An unknown operator is reported before its argument.
        plain_test(name, "", &at)?;
        for (item, at) in items(argument, &at)? {
            let text = text(item, &at)?;
            if text.is_empty() && matches!(name, "prefix" | "suffix") {
                return Err(at.error(
                    format!("every string has an empty {name}"),
                    "write at least one character",
                ));
            }
            values.tests.push(plain_test(name, text, &at)?);
        }
        return Ok(values);
    }
    for (item, at) in items(argument, at)? {
        match item {
            Node::String(text) => {
                values.strings.insert(text.clone());
            }
            Node::Number(_) => {
                values.numbers.insert(number(item, &at)?);
            }
            _ => {
                let instead = "write strings, numbers, or an object with one operator";
                return Err(at.wrong_type(item, instead));
            }
        }
    }
    if !values.strings.is_empty() && !values.numbers.is_empty() {
        return Err(at.error(
            "strings and numbers stand in one list",
            "write only strings or only numbers",
        ));
    }
    Ok(values)
}

/// Returns the items of a list, or the only value, each with its place.
fn items<'n>(argument: &'n Node, at: &Location) -> Result<Vec<(&'n Node, Location)>, PatternError> {
    match argument {
        Node::Array(items) if items.is_empty() => {
            Err(at.error("the list is empty", "write at least one value"))
        }
        Node::Array(items) => {
            let placed = items.iter().enumerate();
            Ok(placed.map(|(index, item)| (item, at.item(index))).collect())
        }
        single => Ok(vec![(single, at.clone())]),
    }
}

fn numeric(argument: &Node, at: &Location) -> Result<Range, PatternError> {
    const INSTEAD: &str = "write [\"=\", 5], [\">\", 0] or [\">\", 0, \"<=\", 5]";
    let Node::Array(items) = argument else {
        return Err(at.wrong_type(argument, INSTEAD));
    };
    let mut range = Range {
        lower: None,
        upper: None,
    };
    let (first, second) = match items.as_slice() {
        [sign, value] => ((sign, value), None),
        [sign, value, upper_sign, upper_value] => ((sign, value), Some((upper_sign, upper_value))),
        _ => return Err(at.error(format!("numeric has {} items", items.len()), INSTEAD)),
    };
    let sign = text(first.0, &at.item(0))?;
    let value = number(first.1, &at.item(1))?;
    let limit = |value, inclusive| Some(Limit { value, inclusive });
    match sign {
        "=" => {
            range.lower = limit(value, true);
            range.upper = limit(value, true);
        }
        ">" | ">=" => range.lower = limit(value, sign == ">="),
        "<" | "<=" => range.upper = limit(value, sign == "<="),
        _ => {
            let problem = format!("{sign:?} does not compare numbers");
            return Err(at.item(0).error(problem, "write =, <, <=, > or >="));
        }
    }
    let Some((upper_sign, upper_value)) = second else {
        return Ok(range);
    };
    if range.upper.is_some() {
        let problem = format!("{sign:?} has no second limit");
        return Err(at
            .item(0)
            .error(problem, "write the lower limit first, with > or >="));
    }
    let upper_sign = text(upper_sign, &at.item(2))?;
    let upper = number(upper_value, &at.item(3))?;
    if !matches!(upper_sign, "<" | "<=") {
        let problem = format!("{upper_sign:?} is not an upper limit");
        return Err(at.item(2).error(problem, "write < or <="));
    }
    if value >= upper {
        let instead = "write the smaller number first, or [\"=\", n] for a single number";
        return Err(at.error("the lower limit is not below the upper one", instead));
    }
    range.upper = limit(upper, upper_sign == "<=");
    Ok(range)
}

/// Reads a number that is compared: EventBridge compares doubles.
fn number(node: &Node, at: &Location) -> Result<Number, PatternError> {
    let found = match node {
        Node::Number(number) => Number::of(number),
        _ => None,
    };
    let Some(number) = found else {
        return Err(at.wrong_type(node, "write a number"));
    };
    if !number.is_exact_as_double() {
        let instead = "write fewer digits, or the number itself as a value without operator";
        return Err(at.error("the number has more digits than a double", instead));
    }
    Ok(number)
}

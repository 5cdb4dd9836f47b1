//! Functions of numbers (<https://developer.hashicorp.com/terraform/language/functions/max>).

use super::{
    super::value::{Failure, Val},
    Arguments,
};

pub(super) fn function(arguments: &Arguments<'_>) -> Result<Option<Val>, Failure> {
    let number = match arguments.name {
        "abs" => arguments.number(0)?.abs(),
        "ceil" => arguments.number(0)?.ceil(),
        "floor" => arguments.number(0)?.floor(),
        "signum" => {
            let number = arguments.number(0)?;
            if number == 0.0 { 0.0 } else { number.signum() }
        }
        "pow" => arguments.number(0)?.powf(arguments.number(1)?),
        "log" => arguments.number(0)?.log(arguments.number(1)?),
        "max" => of_all(arguments, f64::max)?,
        "min" => of_all(arguments, f64::min)?,
        "parseint" => parsed(arguments)?,
        _ => return Ok(None),
    };
    if number.is_finite() {
        // Negative zero is printed with its sign.
        Ok(Some(arguments.made_number(number + 0.0)))
    } else {
        Err(Failure::new(format!("{} has no number", arguments.name)))
    }
}

fn of_all(arguments: &Arguments<'_>, both: fn(f64, f64) -> f64) -> Result<f64, Failure> {
    let mut number = arguments.number(0)?;
    for index in 1..arguments.all().len() {
        number = both(number, arguments.number(index)?);
    }
    Ok(number)
}

fn parsed(arguments: &Arguments<'_>) -> Result<f64, Failure> {
    let text = arguments.text(0)?;
    let base = arguments.index(1)?;
    let base = u32::try_from(base)
        .ok()
        .filter(|base| (2..=36).contains(base));
    let base = base.ok_or_else(|| arguments.wrong(1, "a base from 2 to 36"))?;
    let number = i32::from_str_radix(&text, base).map(f64::from);
    number.map_err(|_| Failure::new("parseint takes the digits of a number of up to 31 bits"))
}

//! Writes a Dockerfile (<https://docs.docker.com/reference/dockerfile/>).

use super::Plan;

/// Returns the text of the Dockerfile.
pub(super) fn text(plan: &Plan) -> String {
    let Plan {
        base,
        build_variables,
        build,
        pre_run,
        variables,
        port,
        port_variable,
        command,
    } = plan;
    let mut lines = vec![
        "# Written by ecs-operator apprunner dockerfile.".to_owned(),
        format!("FROM {base}"),
        "WORKDIR /app".to_owned(),
        "COPY . .".to_owned(),
    ];
    // The program does not have the variables of its build.
    lines.extend(build_variables.iter().map(|it| variable("ARG", it)));
    lines.extend(build.iter().map(|it| run(it)));
    lines.extend(variables.iter().map(|it| variable("ENV", it)));
    if !variables.iter().any(|(name, _)| name == port_variable) {
        lines.push(format!("ENV {port_variable}={port}"));
    }
    lines.extend(pre_run.iter().map(|it| run(it)));
    lines.push(format!("EXPOSE {port}"));
    lines.push(format!("CMD {}", exec(command)));
    lines.push(String::new());
    lines.join("\n")
}

/// Returns `ENV NAME="value"` with the value as it is: Docker replaces variables and reads `\` inside of quotation marks.
fn variable(instruction: &str, (name, value): &(String, String)) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    for letter in value.chars() {
        if matches!(letter, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    format!("{instruction} {name}=\"{quoted}\"")
}

/// Returns `RUN` for a command. Docker gives a line to the shell as it is, except for what is of Docker's own syntax.
fn run(command: &str) -> String {
    let command = command.trim();
    if is_line(command) {
        format!("RUN {command}")
    } else {
        format!("RUN {}", exec(command))
    }
}

/// Whether a command is one line in which nothing is of Docker's own syntax: an option of `RUN`, a list in JSON, a here
/// document, a line that goes on.
fn is_line(command: &str) -> bool {
    !command.contains(['\n', '\r', '\0'])
        && !command.starts_with(['-', '[', '#'])
        && !command.contains("<<")
        && !command.ends_with('\\')
        && !command.is_empty()
}

/// Returns the words that give a command to a shell, as the list in JSON that Docker takes literally.
fn exec(command: &str) -> String {
    format!("[\"sh\", \"-c\", {}]", serde_json::Value::from(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_they_were() {
        for (value, expected) in [
            ("plain", r#"ENV A="plain""#),
            ("a b", r#"ENV A="a b""#),
            (r#"say "hi""#, r#"ENV A="say \"hi\"""#),
            ("$HOME and ${HOME}", r#"ENV A="\$HOME and \${HOME}""#),
            (r"C:\new", r#"ENV A="C:\\new""#),
            ("it's `id` && # no", r#"ENV A="it's `id` && # no""#),
            ("", r#"ENV A="""#),
        ] {
            let pair = ("A".to_owned(), value.to_owned());
            assert_eq!(variable("ENV", &pair), expected);
        }
    }

    #[test]
    fn a_command_stays_one_instruction() {
        for (command, expected) in [
            ("pip install -r r.txt", "RUN pip install -r r.txt"),
            ("a && b | c \"$D\"", "RUN a && b | c \"$D\""),
            ("a\nb", r#"RUN ["sh", "-c", "a\nb"]"#),
            ("a\n", "RUN a"),
            ("a \\\n  b", r#"RUN ["sh", "-c", "a \\\n  b"]"#),
            ("a \\", r#"RUN ["sh", "-c", "a \\"]"#),
            ("cat <<EOF", r#"RUN ["sh", "-c", "cat <<EOF"]"#),
            ("[ -f x ]", r#"RUN ["sh", "-c", "[ -f x ]"]"#),
            (
                "--mount=type=bind x",
                r#"RUN ["sh", "-c", "--mount=type=bind x"]"#,
            ),
            ("a\nUSER root", r#"RUN ["sh", "-c", "a\nUSER root"]"#),
        ] {
            assert_eq!(run(command), expected);
        }
    }
}

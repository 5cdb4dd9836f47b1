//! What references to resources and pseudo parameters stand for.

use super::{
    super::{
        manifest::text as string,
        text::Span,
        tree::{Node, Value},
    },
    cluster,
    function::Failure,
    nested,
    resource::Resource,
    scope::Scope,
    stack::{Open, Stack},
    target_group,
};

/// What is known of a resource of some type without its deployment. `{name}` is its name, and `{account}`, `{region}` and
/// `{partition}` are those of the stack.
struct Known {
    type_: &'static str,
    /// The property that has its name.
    name: &'static str,
    /// What a reference to the resource returns.
    reference: &'static str,
    /// Its attributes.
    attributes: &'static [(&'static str, &'static str)],
}

/// Without the revision, it is the newest.
const AUTO_SCALING_CONFIGURATION: &str =
    "arn:{partition}:apprunner:{region}:{account}:autoscalingconfiguration/{name}";

const KNOWN: &[Known] = &[
    Known {
        type_: "AWS::AppRunner::AutoScalingConfiguration",
        name: "AutoScalingConfigurationName",
        reference: AUTO_SCALING_CONFIGURATION,
        attributes: &[("AutoScalingConfigurationArn", AUTO_SCALING_CONFIGURATION)],
    },
    Known {
        type_: "AWS::DynamoDB::Table",
        name: "TableName",
        reference: "{name}",
        attributes: &[(
            "Arn",
            "arn:{partition}:dynamodb:{region}:{account}:table/{name}",
        )],
    },
    Known {
        type_: "AWS::ECR::Repository",
        name: "RepositoryName",
        reference: "{name}",
        attributes: &[
            (
                "Arn",
                "arn:{partition}:ecr:{region}:{account}:repository/{name}",
            ),
            (
                "RepositoryUri",
                "{account}.dkr.ecr.{region}.amazonaws.com/{name}",
            ),
        ],
    },
    Known {
        type_: "AWS::ECS::CapacityProvider",
        name: "Name",
        reference: "{name}",
        attributes: &[],
    },
    Known {
        type_: "AWS::ECS::Cluster",
        name: "ClusterName",
        reference: "{name}",
        attributes: &[(
            "Arn",
            "arn:{partition}:ecs:{region}:{account}:cluster/{name}",
        )],
    },
    Known {
        type_: "AWS::ECS::TaskDefinition",
        name: "Family",
        // Services and tasks take a family too, which is the same everywhere.
        reference: "{name}",
        attributes: &[("TaskDefinitionArn", "{name}")],
    },
    Known {
        type_: "AWS::Events::EventBus",
        name: "Name",
        reference: "{name}",
        attributes: &[
            (
                "Arn",
                "arn:{partition}:events:{region}:{account}:event-bus/{name}",
            ),
            ("Name", "{name}"),
        ],
    },
    Known {
        type_: "AWS::IAM::Role",
        name: "RoleName",
        reference: "{name}",
        attributes: &[("Arn", "arn:{partition}:iam::{account}:role{path}{name}")],
    },
    Known {
        type_: "AWS::KinesisFirehose::DeliveryStream",
        name: "DeliveryStreamName",
        reference: "{name}",
        attributes: &[(
            "Arn",
            "arn:{partition}:firehose:{region}:{account}:deliverystream/{name}",
        )],
    },
    Known {
        type_: "AWS::Logs::LogGroup",
        name: "LogGroupName",
        reference: "{name}",
        attributes: &[(
            "Arn",
            "arn:{partition}:logs:{region}:{account}:log-group:{name}:*",
        )],
    },
    Known {
        type_: "AWS::S3::Bucket",
        name: "BucketName",
        reference: "{name}",
        attributes: &[
            ("Arn", "arn:{partition}:s3:::{name}"),
            ("DomainName", "{name}.s3.amazonaws.com"),
        ],
    },
    Known {
        type_: "AWS::SNS::Topic",
        name: "TopicName",
        reference: "arn:{partition}:sns:{region}:{account}:{name}",
        attributes: &[
            ("TopicArn", "arn:{partition}:sns:{region}:{account}:{name}"),
            ("TopicName", "{name}"),
        ],
    },
    Known {
        type_: "AWS::SQS::Queue",
        name: "QueueName",
        reference: "https://sqs.{region}.amazonaws.com/{account}/{name}",
        attributes: &[
            ("Arn", "arn:{partition}:sqs:{region}:{account}:{name}"),
            ("QueueName", "{name}"),
            (
                "QueueUrl",
                "https://sqs.{region}.amazonaws.com/{account}/{name}",
            ),
        ],
    },
    Known {
        type_: "AWS::SSM::Parameter",
        name: "Name",
        reference: "{name}",
        attributes: &[],
    },
    Known {
        type_: "AWS::SecretsManager::Secret",
        name: "Name",
        // Without the six characters that AWS appends, which is enough to read the secret.
        reference: "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}",
        attributes: &[(
            "Id",
            "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}",
        )],
    },
];

impl Known {
    /// Returns what an attribute is, or a reference.
    fn pattern(&self, attribute: Option<&str>) -> Option<&'static str> {
        match attribute {
            None => Some(self.reference),
            Some(name) => {
                let mut attributes = self.attributes.iter();
                let found = attributes.find(|(known, _)| *known == name);
                found.map(|(_, pattern)| *pattern)
            }
        }
    }
}

/// Returns what is known of resources of this type.
fn known(type_: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.type_ == type_)
}

impl<'t, 'a> Stack<'t, 'a> {
    /// Returns what a name stands for: a variable, a pseudo parameter, a parameter or a resource; `None` for
    /// `AWS::NoValue`.
    ///
    /// # Errors
    ///
    /// When it stands for nothing.
    pub(super) fn reference(
        &mut self,
        name: &str,
        scope: &Scope<'a>,
        span: Span,
    ) -> Result<Option<Node<'a>>, Failure> {
        if let Some(variable) = scope.get(name) {
            let value = variable.value.clone();
            return Ok(Some(Node { value, span }));
        }
        if let Some(name) = name.strip_prefix("AWS::") {
            return Ok(self.pseudo_parameter(name, span));
        }
        if let Some(value) = self.parameter(name, span) {
            return value.map(Some);
        }
        self.attribute(name, None, span).map(Some)
    }

    /// Returns a pseudo parameter
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html>).
    fn pseudo_parameter(&mut self, name: &str, span: Span) -> Option<Node<'a>> {
        let text = match name {
            "NoValue" => return None,
            "NotificationARNs" => {
                let value = Value::List(Vec::new());
                return Some(Node { value, span });
            }
            "Region" => self.values.region().to_owned(),
            "AccountId" => self.values.account_id().to_owned(),
            "Partition" => self.values.partition().to_owned(),
            "StackName" => self.name.clone(),
            "URLSuffix" if self.values.partition() == "aws-cn" => "amazonaws.com.cn".to_owned(),
            "URLSuffix" => "amazonaws.com".to_owned(),
            other => {
                let name = format!("AWS::{other}");
                let given = self.given_globally(&name).map(str::to_owned);
                given.unwrap_or_else(|| self.open_globally(&name, Open::Resource))
            }
        };
        Some(string(span, text))
    }

    /// Returns an attribute of a resource, or what a reference to it returns.
    ///
    /// # Errors
    ///
    /// When the template makes no such resource.
    pub(super) fn attribute(
        &mut self,
        id: &str,
        attribute: Option<&str>,
        span: Span,
    ) -> Result<Node<'a>, Failure> {
        self.refer(id);
        let key = match attribute {
            Some(attribute) => format!("{id}.{attribute}"),
            None => id.to_owned(),
        };
        let Some(resource) = self.resource(id) else {
            if self.is_part {
                let given = self.given(&key).map(str::to_owned);
                let text = given.unwrap_or_else(|| self.open(&key, Open::Elsewhere));
                return Ok(string(span, text));
            }
            return Err(Failure::new(format!(
                "{id} is neither a parameter nor a resource of the template"
            )));
        };
        if !resource.is_made(self) {
            return Err(Failure::new(format!(
                "the condition of {id} does not hold, so there is no such resource"
            )));
        }
        let given = self.given(&key).map(str::to_owned);
        if let (None, Some(output)) = (&given, attribute.and_then(|it| it.strip_prefix("Outputs.")))
            && nested::is_stack(&resource)
            && let Some(output) = self.output(&resource, output, span)?
        {
            return Ok(output);
        }
        let text = match given {
            Some(given) => Some(given),
            None => self.within(id, |stack| stack.known(&resource, attribute))?,
        };
        let text = text.unwrap_or_else(|| self.open(&key, Open::Resource));
        self.spend_text(text.len())?;
        cluster::note(self, &resource, attribute, &text);
        target_group::note_delay(self, &resource, attribute, &text);
        Ok(string(span, text))
    }

    /// Returns what can be said of an attribute without a deployment.
    fn known(
        &mut self,
        resource: &Resource<'t, 'a>,
        attribute: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        match (&*resource.type_, attribute) {
            ("AWS::ECS::Service", None | Some("ServiceArn")) => {
                let cluster = resource.text("Cluster", self)?;
                let cluster = cluster.unwrap_or_else(|| "default".to_owned());
                let cluster = cluster.rsplit('/').next().unwrap_or_default();
                let name = resource.name(self)?.unwrap_or_default();
                let pattern = "arn:{partition}:ecs:{region}:{account}:service/";
                Ok(Some(format!("{}{cluster}/{name}", self.filled(pattern))))
            }
            ("AWS::ECS::Service", Some("Name")) => resource.name(self),
            // The ID of a scalable target names what it scales.
            ("AWS::ApplicationAutoScaling::ScalableTarget", None | Some("Id")) => {
                let parts = ["ResourceId", "ScalableDimension", "ServiceNamespace"];
                let mut texts = Vec::with_capacity(parts.len());
                for part in parts {
                    texts.extend(resource.text(part, self)?);
                }
                Ok(Some(texts.join("|")))
            }
            ("AWS::ApplicationAutoScaling::ScalingPolicy", None | Some("Arn")) => {
                let target = resource.text("ScalingTargetId", self)?;
                let id = match target {
                    Some(target) => target.split('|').next().map(str::to_owned),
                    None => resource.text("ResourceId", self)?,
                };
                let name = resource.text("PolicyName", self)?.unwrap_or_default();
                let pattern = "arn:{partition}:autoscaling:{region}:{account}:scalingPolicy:";
                let (arn, id) = (self.filled(pattern), id.unwrap_or_default());
                let unique = "00000000-0000-0000-0000-000000000000";
                Ok(Some(format!(
                    "{arn}{unique}:resource/ecs/{id}:policyName/{name}"
                )))
            }
            ("AWS::EC2::VPC", Some(name @ "CidrBlock"))
            | ("AWS::SSM::Parameter", Some(name @ "Value")) => resource.text(name, self),
            _ => self.of_pattern(resource, attribute),
        }
    }

    fn of_pattern(
        &mut self,
        resource: &Resource<'t, 'a>,
        attribute: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        let Some(known) = known(&resource.type_) else {
            return Ok(None);
        };
        let Some(pattern) = known.pattern(attribute) else {
            return Ok(None);
        };
        let name = match resource.name(self)? {
            Some(name) => name,
            // The name itself is what `--set` gives.
            None if known.reference == "{name}" => match self.given(&resource.id) {
                Some(given) => given.to_owned(),
                None => self.open(&resource.id, Open::Resource),
            },
            // An ARN whose last part is open still says what it is the ARN of.
            None if attribute.is_none() && known.reference.starts_with("arn:") => {
                self.open(&resource.id, Open::Resource)
            }
            None => return Ok(None),
        };
        let path = resource.text("Path", self)?;
        let pattern = pattern.replace("{path}", path.as_deref().unwrap_or("/"));
        Ok(Some(self.filled(&pattern).replace("{name}", &name)))
    }

    fn filled(&self, pattern: &str) -> String {
        pattern
            .replace("{partition}", self.values.partition())
            .replace("{region}", self.values.region())
            .replace("{account}", self.values.account_id())
    }
}

impl Resource<'_, '_> {
    /// Returns the property that has its name.
    pub(super) fn name_property(&self) -> Option<&'static str> {
        let known = known(&self.type_).map(|known| known.name);
        known.or_else(|| super::name::property(&self.type_))
    }
}

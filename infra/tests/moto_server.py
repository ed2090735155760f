"""moto's server with the fixes that applying this configuration needs.

It is patched in memory at start-up; the installed package is not changed. Problems of moto 5.2.1:

- DMS sends times as ISO 8601 text instead of seconds, so creating a replication instance fails. A new
  task stays "creating", so the provider waits forever. Changing an endpoint (which the provider does
  right after creating one with a key), event subscriptions and certificates are not implemented.
- SQS has no RedriveAllowPolicy, for which the provider waits, and forgets a queue's policy when any
  other attribute is set. It returns a RedrivePolicy with other white space, which the provider sets
  again, and waits.
- Lambda replaces the alias in an event source mapping by its version, so the provider sets it again.
- S3 fails to remove a key that has a delete marker, as each scratch object of a job has.
- The conditions of a bucket policy are ignored, so denying requests without TLS denies all requests.
- Athena cannot delete a named query, which the provider retries forever.

Usage: moto_server.py --port 5555
"""

import argparse
import json
import os
from datetime import datetime

# Before moto's IAM is first used; otherwise attaching an AWS-managed policy fails with NoSuchEntity.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

import moto.dms.models as dms  # noqa: E402
from moto.athena.responses import AthenaResponse  # noqa: E402
from moto.awslambda.models import EventSourceMapping  # noqa: E402
from moto.dms.responses import DatabaseMigrationServiceResponse as DmsResponse  # noqa: E402
from moto.iam.access_control import IAMPolicyStatement, PermissionResult  # noqa: E402
from moto.s3.models import FakeDeleteMarker  # noqa: E402
from moto.server import main as serve  # noqa: E402
from moto.sqs.models import Queue  # noqa: E402


def epoch_times(value):
    """A copy with seconds instead of ISO text, and without members that are None."""
    if isinstance(value, dict):
        return {
            key: datetime.fromisoformat(item).timestamp()
            if isinstance(item, str) and key.endswith(("Time", "Date"))
            else epoch_times(item)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [epoch_times(item) for item in value]
    return value


def repair_dms():
    def with_epoch_times(to_dict):
        return lambda self, *args, **kwargs: epoch_times(to_dict(self, *args, **kwargs))

    for model in vars(dms).values():
        if isinstance(model, type) and model.__module__ == dms.__name__:
            if "to_dict" in vars(model):
                model.to_dict = with_epoch_times(model.to_dict)

    make_task = dms.FakeReplicationTask.__init__

    def make_ready_task(self, *args, **kwargs):
        make_task(self, *args, **kwargs)
        self.status = "ready"

    def modify_endpoint(self):
        asked = json.loads(self.body)
        endpoints = self.dms_backend.endpoints.values()
        endpoint = next(e for e in endpoints if e.endpoint_arn == asked["EndpointArn"])
        endpoint.s3_settings = {**(endpoint.s3_settings or {}), **asked.get("S3Settings", {})}
        return json.dumps({"Endpoint": endpoint.to_dict()})

    dms.FakeReplicationTask.__init__ = make_ready_task
    DmsResponse.modify_endpoint = modify_endpoint
    add_event_subscriptions()
    add_certificates()


def absent(what):
    body = {"__type": "ResourceNotFoundFault", "message": f"no such {what}"}
    return 400, {}, json.dumps(body)


def add_event_subscriptions():
    """Kept while the process runs, for one account."""
    subscriptions = {}

    def create(self):
        asked = json.loads(self.body)
        name = asked["SubscriptionName"]
        arn = f"arn:aws:dms:{self.region}:{self.current_account}:es:{name}"
        self.dms_backend.tagger.tag_resource(arn, asked.get("Tags") or [])
        subscriptions[name] = {
            "CustSubscriptionId": name,
            "CustomerAwsId": self.current_account,
            "Enabled": asked.get("Enabled", True),
            "EventCategoriesList": asked.get("EventCategories", []),
            "SnsTopicArn": asked["SnsTopicArn"],
            "SourceIdsList": asked.get("SourceIds", []),
            "SourceType": asked.get("SourceType"),
            "Status": "active",
        }
        return json.dumps({"EventSubscription": subscriptions[name]})

    def describe(self):
        name = json.loads(self.body).get("SubscriptionName")
        if name is not None and name not in subscriptions:
            return absent("event subscription")
        found = [subscriptions[name]] if name else list(subscriptions.values())
        return json.dumps({"EventSubscriptionsList": found})

    def delete(self):
        name = json.loads(self.body)["SubscriptionName"]
        if name not in subscriptions:
            return absent("event subscription")
        return json.dumps({"EventSubscription": subscriptions.pop(name)})

    DmsResponse.create_event_subscription = create
    DmsResponse.describe_event_subscriptions = describe
    DmsResponse.delete_event_subscription = delete


def add_certificates():
    """Kept while the process runs."""
    certificates = {}

    def import_one(self):
        asked = json.loads(self.body)
        name = asked["CertificateIdentifier"]
        arn = f"arn:aws:dms:{self.region}:{self.current_account}:cert:{name}"
        self.dms_backend.tagger.tag_resource(arn, asked.get("Tags") or [])
        certificates[arn] = {
            "CertificateArn": arn,
            "CertificateIdentifier": name,
            "CertificatePem": asked["CertificatePem"],
        }
        return json.dumps({"Certificate": certificates[arn]})

    def describe(self):
        wanted = [
            value
            for criterion in json.loads(self.body).get("Filters", [])
            for value in criterion["Values"]
        ]
        found = [
            certificate
            for certificate in certificates.values()
            if not wanted
            or {certificate["CertificateArn"], certificate["CertificateIdentifier"]} & set(wanted)
        ]
        return json.dumps({"Certificates": found}) if found else absent("certificate")

    def delete(self):
        arn = json.loads(self.body)["CertificateArn"]
        if arn not in certificates:
            return absent("certificate")
        return json.dumps({"Certificate": certificates.pop(arn)})

    DmsResponse.import_certificate = import_one
    DmsResponse.describe_certificates = describe
    DmsResponse.delete_certificate = delete


def repair_sqs():
    Queue.BASE_ATTRIBUTES = [*Queue.BASE_ATTRIBUTES, "RedriveAllowPolicy"]
    Queue.redrive_allow_policy = None
    set_attributes = Queue._set_attributes

    def set_and_keep_policy(self, attributes, now=None):
        kept = getattr(self, "policy", None)
        set_attributes(self, attributes, now)
        if "Policy" not in attributes:
            self.policy = kept
        # An empty value removes the attribute.
        self.redrive_allow_policy = self.redrive_allow_policy or None

    Queue._set_attributes = set_and_keep_policy
    attributes = Queue.attributes.fget

    def attributes_as_set(self):
        found = attributes(self)
        if self.redrive_policy:
            found["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        return found

    Queue.attributes = property(attributes_as_set)


def repair_lambda():
    get_configuration = EventSourceMapping.get_configuration
    EventSourceMapping.get_configuration = lambda self: {**get_configuration(self), "FunctionArn": self.function_name}


def repair_s3():
    FakeDeleteMarker.dispose = lambda self: None


def repair_policies():
    """Treats requests as if they used TLS, which this server does not support."""
    is_action_permitted = IAMPolicyStatement.is_action_permitted

    def is_permitted_by_tls(self, *args, **kwargs):
        condition = self._statement.get("Condition") or {}
        if condition.get("Bool", {}).get("aws:SecureTransport") == "false":
            return PermissionResult.NEUTRAL
        return is_action_permitted(self, *args, **kwargs)

    IAMPolicyStatement.is_action_permitted = is_permitted_by_tls


def repair_athena():
    def delete_named_query(self):
        self.athena_backend.named_queries.pop(self._get_param("NamedQueryId"), None)
        return json.dumps({})

    AthenaResponse.delete_named_query = delete_named_query


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5555)
    options = parser.parse_args()
    repair_dms()
    repair_sqs()
    repair_lambda()
    repair_s3()
    repair_policies()
    repair_athena()
    serve(["-H", options.host, "-p", str(options.port)])


if __name__ == "__main__":
    main()

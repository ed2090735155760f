"""The formulas of the cost model, whose inputs and tables are in cost.py."""


class Model:
    def __init__(self, inputs):
        self.inputs = inputs
        self.__dict__.update(inputs)

    def but(self, **inputs):
        """The same model with other inputs."""
        return Model({**self.inputs, **inputs})

    @property
    def objects(self):
        """Objects per day: at most one per interval and table."""
        return min(self.changes_per_day, self.tables * 86_400 / self.batch_interval)

    @property
    def commits(self):
        """Commits per day: one per object, or one for all that came within the freshness."""
        return min(self.changes_per_day, self.tables * 86_400 / max(self.batch_interval, self.freshness))

    @property
    def doorbells(self):
        """Invocations per day for doorbells of tables that wait. Each poller collects its own messages."""
        if not self.freshness:
            return 0
        return min(self.objects, self.pollers * 86_400 / min(self.batching_window, self.freshness))

    @property
    def looks(self):
        """Invocations per day by the schedule, which looks at every table that waits."""
        return 1440 / max(1, self.freshness // 300) if self.freshness else 0

    def s3(self, requests, puts):
        """S3 requests per month, for this many per commit of one object; each further object is a GET."""
        requests, puts = requests + self.requests_guard, puts + self.puts_guard
        lists = min(self.objects, self.doorbells * self.tables) + self.looks * self.tables
        dear = self.commits * (self.lists + puts) + lists
        cheap = self.commits * (requests - self.lists - puts) + self.objects - self.commits
        return (dear * self.s3_put_thousand + cheap * self.s3_get_thousand) / 1000 * self.days

    def function(self, seconds):
        """For so many seconds of a commit of one object."""
        further = (self.objects - self.commits) * self.object_seconds
        without = self.doorbells + self.looks
        gb_seconds = (self.commits * seconds + further + without * self.look_seconds) * self.function_gb
        each = (self.commits + without) * self.lambda_million / 1e6
        return (gb_seconds * self.lambda_gb_second + each) * self.days

    def merging(self, way):
        """Seconds: those of 1,000 changes, and for each beyond as much more as up to 10,000."""
        base, large = self.inputs[f"merge_seconds_{way}"], self.inputs[f"merge_seconds_{way}_10k"]
        more = max(0, self.changes_per_day / self.commits - 1_000) / 9_000
        return self.slowdown * (base + (large - base) * more)

    def queue_and_logs(self):
        """A message is sent, received and deleted; empty polls take 20 s each."""
        requests = 3 * self.objects + self.pollers * 86_400 / 20
        told = (self.commits + self.tables * self.sweeps_per_day) * self.log_bytes_per_commit
        logs = told + (self.doorbells + self.looks) * self.log_bytes_per_look
        return (requests * self.sqs_million / 1e6 + logs / 1e9 * self.logs_gb) * self.days

    def watching(self):
        return self.alarms * self.alarm_month + self.metrics * self.metric_month

    def beside(self):
        """What the sum of each way lacks."""
        yield "DMS's own PUTs", self.objects * self.days * self.s3_put_thousand / 1000
        yield "Alarms", self.alarms * self.alarm_month
        yield "Metrics", self.metrics * self.metric_month
        yield "Of these, that alarms look at", self.metrics_of_alarms * self.metric_month

    def staged(self):
        stored = self.changes_per_day * self.staged_bytes_per_change * self.staging_days / 1e9
        return stored * self.s3_gb_month

    def stored(self, commits, written):
        """Files written and replaced by this many commits per day are kept until vacuum and expiry."""
        table = self.tables * self.lake_rows * self.row_bytes
        kept = commits * (self.retention_days + self.noncurrent_days) * written
        return (table + kept) / 1e9 * self.s3_gb_month

    def ours(self):
        """Each way with its computing, S3 requests, queue and logs, storage."""
        changes = self.changes_per_day / self.commits
        vectors = self.roundtrip_seconds_vectors + self.merging("vectors")
        copy = self.roundtrip_seconds_copy + self.merging("copy")
        masked = self.requests_vectors + self.gets_anywhere
        rewritten = self.requests_copy + self.gets_anywhere + self.puts_anywhere
        ways = {
            "deletion vectors": (vectors, masked, self.puts_vectors, changes * self.written_vectors_per_change),
            "copy-on-write, changes in files of 100,000 rows": (self.roundtrip_seconds_copy, self.requests_copy, self.puts_copy, self.written_copy_small),
            "copy-on-write, changes anywhere": (copy, rewritten, self.puts_copy + self.puts_anywhere, self.lake_rows * self.row_bytes),
        }  # fmt: skip
        for name, (seconds, requests, puts, written) in ways.items():
            storage = self.staged() + self.stored(self.commits, written)
            yield name, (self.function(seconds), self.s3(requests, puts), self.queue_and_logs(), storage)

    def glue(self, seconds):
        billed = max(60, self.glue_start_seconds + self.tables * seconds)
        # If a run takes longer than the interval, the next one follows immediately.
        billed = min(billed, self.glue_minutes_between * 60)
        runs = 1440 / self.glue_minutes_between * self.days
        return runs * billed / 3600 * self.glue_dpus * self.glue_dpu_hour

    def glue_ways(self):
        """S3 requests were not measured, so they are left out, in favour of this alternative."""
        commits = self.tables * 1440 / self.glue_minutes_between
        vectors = self.changes_per_day / commits * self.written_vectors_per_change
        ways = {
            "deletion vectors": (self.spark_seconds_vectors, vectors),
            "copy-on-write, changes anywhere": (self.spark_seconds_copy, self.lake_rows * self.row_bytes),
        }
        for name, (seconds, written) in ways.items():
            yield name, (self.glue(seconds), self.staged() + self.stored(commits, written))

    def jobs(self):
        """Each with its seconds. Tasks read what is staged once; the driver compares by itself."""
        core = self.job_core_mb / 1000
        tasks = core * self.worker_vcpus * (self.job_workers - 1)
        first, reload = self.load_gb / tasks, self.reload_gb / tasks
        compared = 2 * self.reload_gb / (core * self.worker_vcpus)
        yield f"A first load of {self.load_gb:,g} GB", self.job_start_seconds + first
        name = f"A reload of {self.reload_gb:,g} GB"
        yield f"{name}, most rows differ", self.job_start_seconds + reload
        yield f"{name}, compared with the rows that are there", self.job_start_seconds + reload + compared

    def emr(self):
        hour = self.emr_vcpus * self.emr_vcpu_hour + self.emr_gb * self.emr_gb_hour
        return hour * 24 * self.days

    def idle(self):
        hours = 24 * self.days
        yield "RDS db.t4g.medium and its storage", self.rds_hour * hours + self.storage_gb * self.rds_gb_month
        yield "DMS instance t3.medium and its storage", self.dms_hour * hours + self.storage_gb * self.dms_gb_month
        yield "Secrets Manager endpoint, one zone", self.endpoint_hour * hours
        yield "Two secrets", 2 * self.secret_month
        yield "Alarms and metrics", self.watching()
        yield "Empty polls of the queue", self.pollers * 86_400 / 20 * self.days * self.sqs_million / 1e6
        yield "A key, with kms = { create = true }", self.key_month

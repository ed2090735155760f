# Private subnets without internet access: DMS reaches S3 and Secrets Manager through endpoints. The
# function is in no VPC: it uses only S3, SQS and Glue, which are protected by IAM.

data "aws_availability_zones" "available" {
  count = local.network_on ? 1 : 0
  state = "available"
}

resource "aws_vpc" "this" {
  count                = local.network_on ? 1 : 0
  cidr_block           = var.network.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(local.tags, { Name = var.name })
}

# Resources in the VPC without their own security group can neither connect nor be reached.
resource "aws_default_security_group" "this" {
  count  = local.network_on ? 1 : 0
  vpc_id = aws_vpc.this[0].id
  tags   = merge(local.tags, { Name = "${var.name}-default" })
}

# Redshift Serverless requires three zones.
resource "aws_subnet" "private" {
  count             = local.network_on ? 3 : 0
  vpc_id            = aws_vpc.this[0].id
  cidr_block        = cidrsubnet(var.network.cidr, 4, count.index)
  availability_zone = data.aws_availability_zones.available[0].names[count.index]
  tags              = merge(local.tags, { Name = "${var.name}-private-${count.index + 1}" })
}

resource "aws_route_table" "private" {
  count  = local.network_on ? 1 : 0
  vpc_id = aws_vpc.this[0].id
  tags   = merge(local.tags, { Name = "${var.name}-private" })
}

resource "aws_route_table_association" "private" {
  count          = local.network_on ? 3 : 0
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[0].id
}

resource "aws_vpc_endpoint" "s3" {
  count             = local.network_on ? 1 : 0
  vpc_id            = aws_vpc.this[0].id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private[0].id]
  tags              = merge(local.tags, { Name = "${var.name}-s3" })
}

resource "aws_vpc_endpoint" "secrets" {
  count             = local.network_on && local.dms_on ? 1 : 0
  vpc_id            = aws_vpc.this[0].id
  service_name      = "com.amazonaws.${local.region}.secretsmanager"
  vpc_endpoint_type = "Interface"
  # Each zone is billed by the hour, and one zone serves the others too.
  subnet_ids          = var.dms.multi_az ? aws_subnet.private[*].id : [aws_subnet.private[0].id]
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true
  tags                = merge(local.tags, { Name = "${var.name}-secrets" })
}

resource "aws_security_group" "endpoints" {
  count       = local.network_on && local.dms_on ? 1 : 0
  name        = "${var.name}-endpoints"
  description = "Endpoints of AWS services"
  vpc_id      = local.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count             = local.network_on && local.dms_on ? 1 : 0
  security_group_id = aws_security_group.endpoints[0].id
  description       = "HTTPS from the VPC"
  cidr_ipv4         = var.network.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = local.tags
}

resource "aws_security_group" "dms" {
  count       = local.dms_on ? 1 : 0
  name        = "${var.name}-dms"
  description = "DMS replication"
  vpc_id      = local.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-dms" })
}

resource "aws_vpc_security_group_egress_rule" "dms_https" {
  count             = local.dms_on ? 1 : 0
  security_group_id = aws_security_group.dms[0].id
  description       = "S3 and Secrets Manager"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = local.tags
}

# An existing database may be anywhere that is routable.
resource "aws_vpc_security_group_egress_rule" "dms_database" {
  count                        = local.dms_on ? 1 : 0
  security_group_id            = aws_security_group.dms[0].id
  description                  = "The source database"
  cidr_ipv4                    = local.database_group == null ? "0.0.0.0/0" : null
  referenced_security_group_id = local.database_group
  ip_protocol                  = "tcp"
  from_port                    = var.source_database.port
  to_port                      = var.source_database.port
  tags                         = local.tags
}

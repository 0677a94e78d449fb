package main

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongbao/internal/telemetry"
)

// Config is every setting of every command, after file, environment and flags (invariant 2).
// A field's tags are its key, what it means, whether every command has its flag (hidden: but for
// the help lists), and whether it is a secret. Durations are written with their unit: 500ms, 1h.
type Config struct {
	// Of every command.
	Brokers  []string `koanf:"brokers" help:"Kafka's seed brokers, host:port, comma-separated" flag:"every"`
	Redis    string   `koanf:"redis" help:"Redis, host:port" flag:"every"`
	Group    string   `koanf:"group" help:"consumer group; instances of one group share the partitions" flag:"every"`
	Instance string   `koanf:"instance" help:"name of this instance, kept over restarts (default: host name)" flag:"every"`
	Data     string   `koanf:"data" help:"data directory, held by one process at a time" flag:"every"`
	Prefix   string   `koanf:"prefix" help:"prefix of topics, group and Redis keys, to keep a set apart" flag:"every"`
	Dev      bool     `koanf:"dev" help:"allow topics with one replica; implied when every broker is on loopback" flag:"every"`
	JSON     bool     `koanf:"json" help:"answer in JSON" flag:"every"`

	LogFormat string `koanf:"log_format" help:"text or json" flag:"hidden"`
	LogLevel  string `koanf:"log_level" help:"debug, info, warn or error" flag:"hidden"`

	// How Kafka and Redis are reached.
	KafkaTLS           bool   `koanf:"kafka_tls" help:"speak TLS to Kafka; implied by the other kafka-tls settings" flag:"hidden"`
	KafkaTLSCA         string `koanf:"kafka_tls_ca" help:"PEM file of the authorities that sign Kafka's certificates (default: the system's)" flag:"hidden"`
	KafkaTLSCert       string `koanf:"kafka_tls_cert" help:"PEM file of the client certificate for Kafka" flag:"hidden"`
	KafkaTLSKey        string `koanf:"kafka_tls_key" help:"PEM file of the client certificate's key for Kafka" flag:"hidden"`
	KafkaTLSServerName string `koanf:"kafka_tls_server_name" help:"name in Kafka's certificates, if not the address" flag:"hidden"`
	KafkaSASL          string `koanf:"kafka_sasl" help:"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty: no SASL" flag:"hidden"`
	KafkaSASLUser      string `koanf:"kafka_sasl_user" help:"user name for Kafka" flag:"hidden"`
	KafkaSASLPassword  string `koanf:"kafka_sasl_password" help:"password for Kafka" secret:"true"`
	RedisTLS           bool   `koanf:"redis_tls" help:"speak TLS to Redis; implied by the other redis-tls settings" flag:"hidden"`
	RedisTLSCA         string `koanf:"redis_tls_ca" help:"PEM file of the authorities that sign Redis's certificate (default: the system's)" flag:"hidden"`
	RedisTLSCert       string `koanf:"redis_tls_cert" help:"PEM file of the client certificate for Redis" flag:"hidden"`
	RedisTLSKey        string `koanf:"redis_tls_key" help:"PEM file of the client certificate's key for Redis" flag:"hidden"`
	RedisTLSServerName string `koanf:"redis_tls_server_name" help:"name in Redis's certificate, if not the address" flag:"hidden"`
	RedisUser          string `koanf:"redis_user" help:"user name for Redis (default: the default user)" flag:"hidden"`
	RedisPassword      string `koanf:"redis_password" help:"password for Redis" secret:"true"`

	// Of some commands, which add the flags that they use.
	Listen     string        `koanf:"listen" help:"loopback host:port of metrics, health and commands; port 0 takes a free one"`
	CodeKeys   string        `koanf:"code_keys" help:"file with the keys of invite codes (default: the published demo key)"`
	Campaigns  []string      `koanf:"campaigns" help:"campaign files, comma-separated (default: the built-in campaign 1, demo)"`
	Pin        string        `koanf:"pin" help:"pin workers to cores: auto (where each has one), on or off"`
	Sync       string        `koanf:"sync" help:"fsync of the store: never (Kafka has the facts), interval or step"`
	SyncEvery  time.Duration `koanf:"sync_every" help:"with sync interval: how often"`
	ShareLimit ShareLimit    `koanf:"share_limit"`
	Partitions int           `koanf:"topic_partitions" help:"partitions of every topic; for good, since keys map to partitions by it"`
	IssueRate  int           `koanf:"issue_rate" help:"coupons per second that all instances issue together"`
	OpenMax    int           `koanf:"open_max" help:"coupons that a partition has open before it stops reading commands"`
}

// ShareLimit bounds a user's accepted shares over all campaigns in one window of event time.
type ShareLimit struct {
	Count  int           `koanf:"count" help:"shares accepted per user and window"`
	Window time.Duration `koanf:"window" help:"length of the window"`
}

// defaultConfig is the configuration of a command that is given nothing; instance is the host name.
func defaultConfig(instance string) Config {
	return Config{
		Brokers:    []string{"127.0.0.1:9092"},
		Redis:      "127.0.0.1:6379",
		Group:      "hongbao",
		Instance:   instance,
		Data:       "./data",
		LogFormat:  "text",
		LogLevel:   "info",
		Listen:     "127.0.0.1:9180",
		Pin:        "auto",
		Sync:       "never",
		SyncEvery:  time.Second,
		ShareLimit: ShareLimit{Count: 5, Window: time.Hour},
		Partitions: partitions,
		IssueRate:  1000,
		OpenMax:    128,
	}
}

// maxPartitions bounds the topics: each partition has a store and a worker, and fits into the int32 of Kafka's protocol.
const maxPartitions = 1024

// problem is one sentence about one setting.
type problem struct{ key, sentence string }

// nameChars are what Kafka allows in the names of topics and static members.
var nameChars = regexp.MustCompile(`^[a-zA-Z0-9._-]*$`)

// Limits of names: Kafka's 249 for a topic less the longest name behind a prefix, and as many for
// an instance as leave room for the address beside it in a client id.
const (
	maxPrefix   = 249 - len("coupon.retry.30s")
	maxInstance = 200
)

// Validate answers in a sentence per setting what is wrong, or nil. It looks at the settings
// alone, not at files or addresses behind them.
func (c *Config) Validate() error {
	var wrong []error
	for _, p := range c.problems() {
		wrong = append(wrong, fmt.Errorf("%s %s", p.key, p.sentence))
	}
	return errors.Join(wrong...)
}

func (c *Config) problems() []problem {
	v := &validator{}
	c.validateNames(v)
	c.validateConnections(v)
	v.checkf(c.LogFormat == "text" || c.LogFormat == "json", "log_format", "%q is not text or json", c.LogFormat)
	v.oneOf("log_level", c.LogLevel, "debug", "info", "warn", "error")
	if err := telemetry.CheckListen(c.Listen); err != nil {
		v.addf("listen", "%v", err)
	}
	v.oneOf("pin", c.Pin, "auto", "on", "off")
	v.oneOf("sync", c.Sync, "never", "interval", "step")
	v.checkf(c.SyncEvery >= 10*time.Millisecond, "sync_every", "%s is below 10ms, which is as often as every step", c.SyncEvery)
	v.checkf(c.ShareLimit.Count >= 1, "share_limit.count", "%d admits no share; a chain begins with one, so it is at least 1", c.ShareLimit.Count)
	v.checkf(c.ShareLimit.Window >= time.Minute, "share_limit.window", "%s is below the shortest window, 1m", c.ShareLimit.Window)
	v.checkf(c.Partitions >= 1 && c.Partitions <= maxPartitions, "topic_partitions", "%d is not in 1..%d", c.Partitions, maxPartitions)
	v.checkf(c.IssueRate >= 1, "issue_rate", "%d issues nothing; it is at least 1 coupon per second", c.IssueRate)
	v.checkf(c.OpenMax >= 1, "open_max", "%d lets no coupon be opened; it is at least 1 per partition", c.OpenMax)
	return v.problems
}

func (c *Config) validateNames(v *validator) {
	v.checkf(c.Group != "", "group", "is empty; a consumer group needs a name")
	// Transactional ids are hongbao/<group>/...: another group's must not begin like ours (rule X5c).
	v.checkf(!strings.Contains(c.Group, "/"), "group", "%q contains a slash, which would mix its transactional ids with another group's", c.Group)
	v.checkf(c.Instance != "", "instance", "is empty and the host name is not known; an instance needs a name that it keeps over restarts")
	v.checkf(nameChars.MatchString(c.Instance), "instance", "%q has characters that Kafka refuses in a group.instance.id; letters, digits, . _ - are allowed", c.Instance)
	v.checkf(len(c.Instance) <= maxInstance, "instance", "has %d characters; at most %d fit into a client id", len(c.Instance), maxInstance)
	v.checkf(nameChars.MatchString(c.Prefix), "prefix", "%q has characters that Kafka refuses in a topic; letters, digits, . _ - are allowed", c.Prefix)
	v.checkf(len(c.Prefix) <= maxPrefix, "prefix", "has %d characters; with at most %d of them every topic's name fits into Kafka's 249", len(c.Prefix), maxPrefix)
	v.checkf(c.Prefix != defaultRedisTag, "prefix", "%q is what Redis keys carry when there is no prefix; choose another", c.Prefix)
	v.checkf(c.Data != "", "data", "is empty; a data directory needs a path")
}

func (c *Config) validateConnections(v *validator) {
	v.checkf(len(c.Brokers) > 0, "brokers", "is empty; at least one broker's host:port is needed")
	for _, broker := range c.Brokers {
		v.address("brokers", broker)
	}
	v.address("redis", c.Redis)
	switch c.KafkaSASL {
	case "":
		v.checkf(c.KafkaSASLUser == "", "kafka_sasl_user", "is set but kafka_sasl is not; say PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
		v.checkf(c.KafkaSASLPassword == "", "kafka_sasl_password", "is set but kafka_sasl is not; say PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	case saslPlain, saslScram256, saslScram512:
		v.checkf(c.KafkaSASLUser != "", "kafka_sasl_user", "is empty; %s needs a user name", c.KafkaSASL)
		v.checkf(c.KafkaSASLPassword != "", "kafka_sasl_password", "is empty; %s needs a password, from the environment variable HONGBAO_KAFKA_SASL_PASSWORD", c.KafkaSASL)
	default:
		v.addf("kafka_sasl", "%q is not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", c.KafkaSASL)
	}
	v.checkf((c.KafkaTLSCert == "") == (c.KafkaTLSKey == ""), "kafka_tls_cert", "and kafka_tls_key go together; one of them is empty")
	v.checkf((c.RedisTLSCert == "") == (c.RedisTLSKey == ""), "redis_tls_cert", "and redis_tls_key go together; one of them is empty")
	v.checkf(c.RedisUser == "" || c.RedisPassword != "", "redis_password", "is empty; the user %q needs a password, from the environment variable HONGBAO_REDIS_PASSWORD", c.RedisUser)
}

// validator collects problems, so that a person sees all of them at once.
type validator struct{ problems []problem }

func (v *validator) addf(key, format string, args ...any) {
	v.problems = append(v.problems, problem{key, fmt.Sprintf(format, args...)})
}

func (v *validator) checkf(ok bool, key, format string, args ...any) {
	if !ok {
		v.addf(key, format, args...)
	}
}

func (v *validator) oneOf(key, value string, allowed ...string) {
	v.checkf(slices.Contains(allowed, value), key, "%q is not one of %s", value, strings.Join(allowed, ", "))
}

func (v *validator) address(key, address string) {
	host, port, err := net.SplitHostPort(address)
	n, portErr := strconv.Atoi(port)
	v.checkf(err == nil && host != "" && portErr == nil && n >= 1 && n <= 65535,
		key, "%q is not host:port with a port from 1 to 65535", address)
}

// defaultRedisTag is the hash tag of Redis keys without a prefix; an empty one would be none.
const defaultRedisTag = "hongbao"

// RedisTag is the hash tag of all Redis keys, without its braces.
func (c *Config) RedisTag() string {
	if c.Prefix == "" {
		return defaultRedisTag
	}
	return c.Prefix
}

func (c *Config) partitions() int32 { return int32(c.Partitions) } //nolint:gosec // Validate bounds it

// GroupID is the consumer group's name in Kafka.
func (c *Config) GroupID() string { return c.Prefix + c.Group }

// DevMode says whether topics may have one replica: with --dev, or when every broker is on
// loopback, where there is nothing to replicate to.
func (c *Config) DevMode() bool {
	if c.Dev {
		return true
	}
	for _, broker := range c.Brokers {
		host, _, err := net.SplitHostPort(broker)
		ip := net.ParseIP(host)
		if err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return len(c.Brokers) > 0
}

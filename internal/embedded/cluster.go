package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Config says where the embedded Kafka and Redis live.
type Config struct {
	// Dir keeps Kafka's data; it is made if missing. Empty: memory only.
	// Two clusters must not share a directory.
	Dir string
	// Listen is Kafka's address, on loopback. Default 127.0.0.1:0, a free port.
	Listen string
	// RedisListen is Redis's address, on loopback. Default 127.0.0.1:0.
	RedisListen string
	// Partitions is the number of a topic that is created without one. Default 16.
	Partitions int32
	// Logger gets the broker's warnings and errors. Default: none.
	Logger *slog.Logger
}

func (c *Config) applyDefaults() {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.RedisListen == "" {
		c.RedisListen = "127.0.0.1:0"
	}
	if c.Partitions == 0 {
		c.Partitions = 16
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Validate answers in a sentence what is wrong.
func (c *Config) Validate() error {
	var errs []error
	if c.Partitions < 0 {
		errs = append(errs, fmt.Errorf("embedded: partitions %d: a topic has at least one", c.Partitions))
	}
	for _, address := range []string{c.Listen, c.RedisListen} {
		if address == "" {
			continue
		}
		if err := checkLoopback(address); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("embedded: listen %q is no host:port: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("embedded: listen %q: the embedded parts listen on loopback only, e.g. 127.0.0.1:9092", address)
	}
	return nil
}

// Cluster is a running Kafka and Redis. Its methods are safe for concurrent use.
type Cluster struct {
	kafka   *kfake.Cluster
	brokers []string
	redis   *redis
}

// Start starts both and returns when they accept connections.
func Start(cfg Config) (*Cluster, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.applyDefaults()
	kafka, err := startKafka(cfg)
	if err != nil {
		return nil, err
	}
	redis, err := startRedis(cfg.RedisListen, expiryTick)
	if err != nil {
		kafka.Close()
		return nil, err
	}
	return &Cluster{kafka: kafka, brokers: kafka.ListenAddrs(), redis: redis}, nil
}

func startKafka(cfg Config) (*kfake.Cluster, error) {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("hongbao-embedded"),
		kfake.DefaultNumPartitions(int(cfg.Partitions)),
		kfake.WithLogger(kafkaLogger{cfg.Logger}),
		// kfake asks for a port on 127.0.0.1; the configured address may be [::1].
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, cfg.Listen)
			return lingering{l}, err
		}),
	}
	if cfg.Dir != "" {
		dir := filepath.Join(cfg.Dir, "kafka")
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return nil, fmt.Errorf("embedded: make the data directory: %w", err)
		}
		opts = append(opts, kfake.DataDir(dir))
	}
	kafka, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("embedded: start Kafka on %s: %w", cfg.Listen, err)
	}
	GuardFetches(kafka)
	return kafka, nil
}

// Brokers are Kafka's seed addresses, host:port.
func (c *Cluster) Brokers() []string { return c.brokers }

// RedisAddr is Redis's address, host:port.
func (c *Cluster) RedisAddr() string { return c.redis.addr }

// Close writes what Kafka holds to its directory and ends both. Clients should be
// closed before: theirs are the connections that it cuts.
func (c *Cluster) Close() {
	c.kafka.Close()
	c.redis.close()
}

// kafkaLogger passes on what a person must know; the rest is the broker's chatter.
type kafkaLogger struct{ log *slog.Logger }

// Logf is kfake's logging port.
func (l kafkaLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("embedded Kafka: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("embedded Kafka: " + fmt.Sprintf(format, args...))
	default:
	}
}

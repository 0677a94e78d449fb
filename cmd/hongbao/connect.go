package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// The SASL mechanisms that Kafka clients of hongbao speak, as kafka_sasl names them.
const (
	saslPlain    = "PLAIN"
	saslScram256 = "SCRAM-SHA-256"
	saslScram512 = "SCRAM-SHA-512"
)

// kafkaOptions are what every Kafka client of this process needs to reach the brokers:
// addresses, TLS, SASL. Everything else is the client's own.
func (c *Config) kafkaOptions() ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(c.Brokers...)}
	files := tlsFiles{c.KafkaTLS, c.KafkaTLSCA, c.KafkaTLSCert, c.KafkaTLSKey, c.KafkaTLSServerName}
	tlsConfig, err := files.load("kafka_tls")
	if err != nil {
		return nil, err
	}
	if tlsConfig != nil {
		opts = append(opts, kgo.DialTLSConfig(tlsConfig))
	}
	switch c.KafkaSASL {
	case saslPlain:
		opts = append(opts, kgo.SASL(plain.Auth{User: c.KafkaSASLUser, Pass: c.KafkaSASLPassword}.AsMechanism()))
	case saslScram256:
		opts = append(opts, kgo.SASL(scram.Auth{User: c.KafkaSASLUser, Pass: c.KafkaSASLPassword}.AsSha256Mechanism()))
	case saslScram512:
		opts = append(opts, kgo.SASL(scram.Auth{User: c.KafkaSASLUser, Pass: c.KafkaSASLPassword}.AsSha512Mechanism()))
	}
	return opts, nil
}

// redisOptions are what every Redis client of this process needs to reach Redis.
func (c *Config) redisOptions() (*redis.Options, error) {
	files := tlsFiles{c.RedisTLS, c.RedisTLSCA, c.RedisTLSCert, c.RedisTLSKey, c.RedisTLSServerName}
	tlsConfig, err := files.load("redis_tls")
	if err != nil {
		return nil, err
	}
	return &redis.Options{
		Addr:      c.Redis,
		Username:  c.RedisUser,
		Password:  c.RedisPassword,
		TLSConfig: tlsConfig,
	}, nil
}

// silenceRedis keeps go-redis from writing lines of its own form to standard error. What they say
// comes back as errors too, which the rooms log. The logger is a global of that package, so it
// is set once, by main.
func silenceRedis() { redis.SetLogger(redisSilence{}) }

type redisSilence struct{}

// Printf is go-redis's logging port.
func (redisSilence) Printf(context.Context, string, ...any) {}

// tlsFiles are one server's TLS settings. Any of them turns TLS on: whoever names an
// authority does not want to talk in the clear because of a forgotten switch.
type tlsFiles struct {
	on                        bool
	ca, cert, key, serverName string
}

// load reads the files; nil means no TLS. Its errors name the setting, by the name in front.
func (f tlsFiles) load(name string) (*tls.Config, error) {
	if f == (tlsFiles{}) {
		return nil, nil //nolint:nilnil // no TLS is an answer, and a nil *tls.Config is how clients take it
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.serverName}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("%s_ca: %w", name, err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s_ca: %s holds no PEM certificate", name, f.ca)
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("%s_cert and %s_key: %w", name, name, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

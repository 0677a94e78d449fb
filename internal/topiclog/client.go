package topiclog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
)

// Record is one Kafka record. Key, Value and Headers of a record that was read stay valid
// as long as the record is referenced; nobody reuses their memory.
type Record = kgo.Record

// Header is one record header.
type Header = kgo.RecordHeader

// Config says how to reach the brokers.
type Config struct {
	// Brokers are seed addresses, host:port. At least one.
	Brokers []string
	// Prefix names a set of topics: prefix "b1." reads "b1.invite.events". Empty for the real ones.
	Prefix string
	// ClientID is shown in the broker's logs. Default "hongbao-tool".
	ClientID string
	// TLS, when not nil, encrypts every connection.
	TLS *tls.Config
	// FetchBytes bounds one fetch of a cursor. Default 2 MiB; less where many cursors are open at once.
	FetchBytes int32
	// Options are appended last, for SASL, loggers and the dialers of tests.
	Options []kgo.Opt
}

// Validate answers in a sentence.
func (c *Config) Validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("topiclog: no broker address given; name one with --brokers host:port")
	}
	for _, b := range c.Brokers {
		if strings.TrimSpace(b) == "" {
			return fmt.Errorf("topiclog: empty broker address in %q", c.Brokers)
		}
	}
	return nil
}

func (c *Config) options() []kgo.Opt {
	id := c.ClientID
	if id == "" {
		id = "hongbao-tool"
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(id),
		kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.MaxDecompressBatchBytes(BatchBytesMax),
	}
	if c.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(c.TLS))
	}
	return append(opts, c.Options...)
}

// Client reads and administers one set of topics. It is safe for concurrent use.
// Close it when every cursor taken from it is closed.
type Client struct {
	cfg     Config
	kc      *kgo.Client
	adm     *kadm.Client
	leaders leaders
}

// Dial makes a client and asks the brokers, so that a wrong address is an error here: a refused connection at once, a broker that cuts connections or says
// nothing after 20 s.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.FetchBytes <= 0 {
		cfg.FetchBytes = fetchBytes
	}
	kc, err := kgo.NewClient(cfg.options()...)
	if err != nil {
		return nil, fmt.Errorf("topiclog: client for %v: %w", cfg.Brokers, err)
	}
	if err := patiently(ctx, kgo.IsRetryableBrokerErr, kc.Ping); err != nil {
		kc.Close()
		return nil, fmt.Errorf("topiclog: no broker answers at %s: %w", strings.Join(cfg.Brokers, ","), err)
	}
	return &Client{cfg: cfg, kc: kc, adm: kadm.NewClient(kc)}, nil
}

// Close releases the connections.
func (c *Client) Close() { c.kc.Close() }

// Name is the topic's name under the client's prefix.
func (c *Client) Name(t schemas.Topic) string { return t.Name(c.cfg.Prefix) }

// Loopback says whether every broker advertises a loopback address, which implies --dev.
func (c *Client) Loopback(ctx context.Context) (bool, error) {
	m, err := c.adm.BrokerMetadata(ctx)
	if err != nil {
		return false, fmt.Errorf("topiclog: list brokers: %w", err)
	}
	for _, b := range m.Brokers {
		if !loopback(b.Host) {
			return false, nil
		}
	}
	return len(m.Brokers) > 0, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

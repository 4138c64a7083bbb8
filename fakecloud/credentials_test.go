package fakecloud_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

var _ cloudlb.CredentialsProvider = (*fakecloud.Cloud)(nil)

func TestCredentialsExpiry(t *testing.T) {
	t.Parallel()
	codes := map[bool]map[string]string{
		true:  {"alb": "InvalidSecurityToken.Expired", "slb": "InvalidSecurityToken.Expired", "elb": "APIGW.0301", "apig": "APIGW.0301"},
		false: {"alb": "InvalidAccessKeyId.NotFound", "slb": "InvalidAccessKeyId.NotFound", "elb": "APIGW.0301", "apig": "APIGW.0301"},
	}
	for temporary, code := range codes {
		synctest.Test(t, func(t *testing.T) {
			sts := ""
			if temporary {
				sts = "sts"
			}
			b := newBench(t, nil, fakecloud.WithCredentials("AKID", "secret", sts), fakecloud.WithCredentialsExpiry(time.Hour))
			advance(time.Hour - 1)
			for _, service := range services {
				if err := b.add(t.Context(), service, 1); err != nil {
					t.Errorf("%s: %v", service, err)
				}
			}
			advance(1)
			for _, service := range services {
				err := b.add(t.Context(), service, 2)
				var e *cloudlb.Error
				if !errors.Is(err, cloudlb.ErrUnauthenticated) || !errors.As(err, &e) || e.Code != code[service] {
					t.Errorf("%s: %v", service, err)
				}
			}
		})
	}
}

// TestRotateCredentials: a client that asks for its credentials goes on, one
// with fixed ones ends with the overlap.
func TestRotateCredentials(t *testing.T) {
	t.Parallel()
	for _, service := range services {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil, fakecloud.WithCredentials("AKID", "secret", "sts"))
			fixed := *b
			cfg := func(c *cloudlb.Config) { c.Credentials = b.cloud }
			asking := newBenchOf(t, b, cfg)
			next := b.cloud.RotateCredentials(cloudlb.Credentials{}, time.Minute)
			if next.AccessKeyID == "" || next.AccessKeyID == "AKID" || next.SecurityToken == "" {
				t.Errorf("%v", next)
			}
			if now, _ := b.cloud.Config().Credentials.Credentials(t.Context()); now != next {
				t.Errorf("%v, want %v", now, next)
			}
			for i, ok := range []bool{true, false} {
				if err := fixed.add(t.Context(), service, 1+2*i); (err == nil) != ok {
					t.Errorf("%s: %v", service, err)
				}
				advance(30 * time.Second)
				if err := asking.add(t.Context(), service, 2+2*i); err != nil {
					t.Errorf("%s: %v", service, err)
				}
				advance(30 * time.Second)
			}
			given := cloudlb.Credentials{AccessKeyID: "AKID2", SecretAccessKey: "s2"}
			if got := b.cloud.RotateCredentials(given, 0); got != given {
				t.Errorf("%v", got)
			}
			if err := asking.add(t.Context(), service, 9); err != nil {
				t.Errorf("%s: %v", service, err)
			}
		})
	}
}

func TestRotateIAMToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(cfg *cloudlb.Config) { cfg.Credentials = cloudlb.StaticToken("one") }, fakecloud.WithToken("one"))
		key, _ := b.cloud.Credentials(t.Context())
		if got := b.cloud.RotateCredentials(cloudlb.Credentials{Token: "two"}, time.Minute); got != key {
			t.Errorf("the key pair was replaced by %v", got)
		}
		for _, service := range []string{"elb", "apig"} {
			if err := b.add(t.Context(), service, 1); err != nil {
				t.Error(err)
			}
		}
		advance(time.Minute)
		for _, service := range []string{"elb", "apig"} {
			if err := b.add(t.Context(), service, 2); !errors.Is(err, cloudlb.ErrUnauthenticated) {
				t.Error(err)
			}
		}
		newer := newBenchOf(t, b, func(cfg *cloudlb.Config) { cfg.Credentials = cloudlb.StaticToken("two") })
		if err := newer.add(t.Context(), "elb", 2); err != nil {
			t.Error(err)
		}
	})
}

package sigcheck

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// vector is a signature made by the vendor's own signer.
type vector struct {
	ID, Algorithm, Method, URL, Body string
	AccessKey                        string `json:"access_key"`
	Secret, Region, Service, Nonce   string
	SecurityToken                    string `json:"security_token"`
	Date                             string
	Headers                          map[string][]string
	Quirk                            string
	Expected, ByThePublishedRules    expectation
}

type expectation struct {
	Authorization, Signature string
	AddedHeaders             map[string][]string `json:"added_headers"`
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("../../signer/testdata/signing.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			vector
			ByTheRules expectation `json:"by_the_published_rules"`
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	vectors := make([]vector, len(file.Vectors))
	for i, v := range file.Vectors {
		v.vector.ByThePublishedRules = v.ByTheRules
		vectors[i] = v.vector
	}
	return vectors
}

// received is the request as a server gets it.
func (v vector) received(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), v.Method, v.URL, strings.NewReader(v.Body))
	if err != nil {
		t.Fatal(err)
	}
	for _, headers := range []map[string][]string{v.Headers, v.Expected.AddedHeaders} {
		for name, values := range headers {
			for _, value := range values {
				r.Header.Add(name, strings.Trim(value, " \t"))
			}
		}
	}
	r.Header.Del("Host")
	return r
}

func (v vector) time(t *testing.T) time.Time {
	t.Helper()
	layout := alibabaTime
	if v.Region != "" || v.Algorithm == sdkHMAC {
		layout = huaweiTime
	}
	at, err := time.Parse(layout, v.Date)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (v vector) keys(id string) (secret, securityToken string, ok bool) {
	return v.Secret, v.SecurityToken, id == v.AccessKey
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			now, body := v.time(t), []byte(v.Body)
			verify := func(authorization string) (Identity, error) {
				r := v.received(t)
				switch v.Algorithm {
				case "ACS3-HMAC-SHA256":
					r.Header.Set("Authorization", authorization)
					return ACS3(r, body, now, v.keys)
				case "RPC-HMAC-SHA1":
					r.URL.RawQuery += "&Signature=" + url.QueryEscape(v.Expected.Signature)
					return RPCV1(r, body, now, v.keys)
				default:
					r.Header.Set("Authorization", authorization)
					return Huawei(r, body, now, v.keys)
				}
			}

			got, err := verify(v.Expected.Authorization)
			if v.Quirk != "" {
				if _, ok := errors.AsType[*Failure](err); !ok {
					t.Errorf("a signature outside the published rules was accepted: %v", err)
				}
				got, err = verify(v.ByThePublishedRules.Authorization)
			}
			if err != nil {
				t.Fatal(err)
			}
			want := Identity{
				AccessKeyID: v.AccessKey, Algorithm: strings.TrimPrefix(v.Algorithm, "RPC-"), Nonce: v.Nonce, Time: now,
				Region: v.Region, Service: v.Service,
				UnsignedPayload: v.Expected.AddedHeaders != nil,
			}
			if got != want {
				t.Errorf("identity is\n%+v, want\n%+v", got, want)
			}
		})
	}
}

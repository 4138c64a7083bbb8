package bench

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	albv2 "github.com/alibabacloud-go/alb-20200616/v2/client"
	openapiutils "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	oldcredentials "github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"
	oldalb "github.com/aliyun/alibaba-cloud-sdk-go/services/alb"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	hwrequest "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
	hwutils "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/utils"
	hwelbmodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3/model"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/internal/wire"
	oursigner "github.com/cloudlb/cloudlb/signer"
	"github.com/cloudlb/cloudlb/slb"
)

// load is one of the five operations with n servers, and the answer to it.
type load struct {
	name    string
	servers int
	request any
	answer  string
}

type fields = map[string]any

func answer(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// each makes a list of n.
func each[T any](n int, f func(i int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func loads() []load {
	var out []load
	for _, n := range []int{2, 200} {
		out = append(out, load{
			"ALB.AddServersToServerGroup", n,
			alb.AddServersToServerGroupRequest{
				ServerGroupID: "sgp-atstuj3rtop00001", ClientToken: "123e4567-e89b-12d3-a456-426655440000",
				Servers: each(n, func(i int) alb.AddedServer {
					return alb.AddedServer{ServerID: fmt.Sprintf("i-bp%017d", i), ServerType: alb.ServerTypeEcs, Port: 8080, Weight: new(100)}
				}),
			},
			answer(fields{"JobId": "72dcd26b-f12d-4c27-b3af-18f6aed5", "RequestId": "365F4154-92F6-4AE4-92F8-7FF34B540710"}),
		}, load{
			"ALB.ReplaceServersInServerGroup", n,
			alb.ReplaceServersInServerGroupRequest{
				ServerGroupID: "sgp-atstuj3rtop00001", ClientToken: "123e4567-e89b-12d3-a456-426655440000",
				AddedServers: each(n, func(i int) alb.ReplacementServer {
					return alb.ReplacementServer{ServerID: fmt.Sprintf("i-bp%017d", i), ServerType: alb.ServerTypeEcs, Port: 8080, Weight: new(100)}
				}),
				RemovedServers: each(n, func(i int) alb.ReplacedServer {
					return alb.ReplacedServer{ServerID: fmt.Sprintf("i-cp%017d", i), ServerType: alb.ServerTypeEcs, Port: 8080}
				}),
			},
			answer(fields{"JobId": "72dcd26b-f12d-4c27-b3af-18f6aed5", "RequestId": "365F4154-92F6-4AE4-92F8-7FF34B540710"}),
		})
	}
	for _, n := range []int{2, 20} {
		out = append(out, load{
			"SLB.AddVServerGroupBackendServers", n,
			slb.AddVServerGroupBackendServersRequest{
				VServerGroupID: "rsp-cige6******8",
				BackendServers: each(n, func(i int) slb.BackendServerSpec {
					return slb.BackendServerSpec{ServerID: fmt.Sprintf("i-bp%017d", i), Port: 8080, Weight: new(100), Type: slb.ServerTypeEcs}
				}),
			},
			answer(fields{
				"RequestId": "365F4154-92F6-4AE4-92F8-7FF34B540710", "VServerGroupId": "rsp-cige6******8",
				"BackendServers": fields{"BackendServer": each(n, func(i int) fields {
					return fields{"ServerId": fmt.Sprintf("i-bp%017d", i), "Port": 8080, "Weight": 100, "Type": "ecs"}
				})},
			}),
		})
	}
	for _, n := range []int{2, 200} {
		address := func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/256, i%256) }
		out = append(out, load{
			"ELB.BatchCreateMembers", n,
			elb.BatchCreateMembersRequest{
				PoolID: "36ce7086-a496-4666-9064-5ba0e6840c75",
				Members: each(n, func(i int) elb.BatchMemberSpec {
					return elb.BatchMemberSpec{Address: address(i), ProtocolPort: 8080, Weight: new(1), Name: fmt.Sprintf("web-%03d", i), SubnetCIDRID: "c09f620e-3492-4429-ac15-445d5dd9ca74"}
				}),
			},
			answer(fields{"request_id": "8d7c5eab6ba0d9d7f5b1b0a8a1e5b6b1", "members": each(n, func(i int) fields { return fullMember(i, address(i)) })}),
		}, load{
			"ROMA.AddVpcChannelMembers", n,
			apig.AddVpcChannelMembersRequest{
				InstanceID: "eddc4d25480b4cd6b512f270a1b8b341", VpcChannelID: "105c6902457144a4820dff8b1ad63331",
				Members: each(n, func(i int) apig.MemberSpec {
					return apig.MemberSpec{Host: address(i), Port: 8080, Weight: new(1), Status: 1, IsBackup: new(false)}
				}),
			},
			answer(fields{"size": n, "total": n, "members": each(n, func(i int) fields {
				return fields{
					"host": address(i), "port": 8080, "weight": 1, "is_backup": false, "status": 1, "id": fmt.Sprintf("%032d", i),
					"vpc_channel_id": "105c6902457144a4820dff8b1ad63331", "create_time": "2020-07-23T07:24:33Z", "member_group_name": "default",
				}
			})}),
		})
	}
	return out
}

func fullMember(i int, address string) fields {
	return fields{
		"id": fmt.Sprintf("1923923e-fe8a-484f-bdbc-%012d", i), "name": fmt.Sprintf("web-%03d", i), "project_id": "99a3fff0d03c428eac3678da6a7d0f24",
		"pool_id": "36ce7086-a496-4666-9064-5ba0e6840c75", "admin_state_up": true, "subnet_cidr_id": "c09f620e-3492-4429-ac15-445d5dd9ca74",
		"protocol_port": 8080, "weight": 1, "address": address, "ip_version": "v4", "operating_status": "ONLINE",
		"ret_status": "successful", "member_type": "instance", "port_id": "c7c1b7d1-1c5e-4e0e-8ac1-b7f0ff3d7c41",
		"created_at": "2019-12-02T03:54:37Z", "updated_at": "2019-12-02T03:54:37Z", "instance_id": "f0b1d7c1-1c5e-4e0e-8ac1-b7f0ff3d7c41",
	}
}

// cannedServer answers everything the same.
func cannedServer(tb testing.TB, body string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, body)
	}))
	tb.Cleanup(s.Close)
	return s
}

// bytesOf gives what our client sends: the request of the floor.
func bytesOf(tb testing.TB, l load) sent {
	tb.Helper()
	server := newRecorder(tb)
	who := example(server.URL)
	c := callers(newOurs(tb, who.config(), who.project), newPeers(tb, who), who.region, l.request)[0]
	c.call(context.Background()) // it is refused
	got, err := server.take()
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

// floor is a bare POST of the same bytes with net/http, which reads the answer
// and does nothing with it.
func floor(tb testing.TB, l load, endpoint string) caller {
	got := bytesOf(tb, l)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	tb.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	target := endpoint + got.URL.RequestURI()
	header := got.Header.Clone()
	for _, own := range []string{"Accept-Encoding", "Content-Length"} {
		header.Del(own)
	}
	return caller{"floor", func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(got.body))
		if err != nil {
			return err
		}
		req.Header = header.Clone()
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		return err
	}}
}

// BenchmarkCall is one call over loopback, the server included, for ours, each
// peer and the floor.
func BenchmarkCall(b *testing.B) {
	for _, l := range loads() {
		server := cannedServer(b, l.answer)
		who := example(server.URL)
		o, p, bare := newOurs(b, who.config(), who.project), newPeers(b, who), floor(b, l, server.URL)
		all := func() []caller { return append(callers(o, p, who.region, l.request), bare) }
		for i, c := range all() {
			name := fmt.Sprintf("%s/%d/%s", l.name, l.servers, c.name)
			b.Run(name+"/seq", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := c.call(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
			if raceDetector && c.name != "ours" {
				continue // theirs race
			}
			b.Run(name+"/par", func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					own := all()[i] // the old SDK writes into requests
					for pb.Next() {
						if err := own.call(b.Context()); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
		server.Close()
	}
}

// BenchmarkSign is the signature alone, with the hash of the body.
func BenchmarkSign(b *testing.B) {
	who := example("")
	cred := cloudlb.Credentials{AccessKeyID: who.accessKey, SecretAccessKey: who.secret}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const nonce = "0123456789abcdef0123456789abcdef"
	algorithm := "ACS3-HMAC-SHA256"
	for _, l := range loads() {
		if l.name == "SLB.AddVServerGroupBackendServers" || l.name == "ROMA.AddVpcChannelMembers" {
			continue // the same signatures on less
		}
		got := bytesOf(b, l)
		got.Host = "service.example.com"
		bench := func(peer string, f func() error) {
			b.Run(fmt.Sprintf("%s/%d/%s/seq", l.name, l.servers, peer), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		if l.name == "ELB.BatchCreateMembers" {
			for scheme, s := range map[string]signs{"SDK-HMAC": oursigner.SDKHMAC{}, "V11": oursigner.V11{Region: "cn-north-4", Service: "elb"}} {
				bench(scheme+"/ours", func() error { return s.Sign(got.Request, got.body, cred, at, "") })
			}
			theirs := hwrequest.NewHttpRequestBuilder().WithEndpoint("https://service.example.com").WithPath(got.URL.Path).
				WithMethod("POST").AddHeaderParam("X-Project-Id", who.project).AddHeaderParam("Content-Type", "application/json;charset=UTF-8").
				AddHeaderParam("X-Sdk-Date", "20260102T030405Z").WithBody("", string(got.body)).Build()
			bench("SDK-HMAC/huawei", func() error {
				_, err := signer.Signer{}.Sign(theirs, who.accessKey, who.secret)
				return err
			})
			bench("V11/huawei", func() error {
				_, err := signer.GetDerivedSigner().Sign(theirs, who.accessKey, who.secret, "elb", "cn-north-4")
				return err
			})
			continue
		}
		bench("ACS3/ours", func() error { return oursigner.ACS3{}.Sign(got.Request, got.body, cred, at, nonce) })
		headers, query := pointers(signedHeaders(got.Request)), map[string]*string{}
		for name, v := range got.URL.Query() {
			query[name] = &v[0]
		}
		post, root := "POST", "/"
		bench("ACS3/alb-v2", func() error {
			payload := hex.EncodeToString(openapiutils.Hash(got.body, &algorithm))
			openapiutils.GetAuthorization(&dara.Request{Method: &post, Pathname: &root, Query: query, Headers: headers},
				&algorithm, &payload, &who.accessKey, &who.secret)
			return nil
		})
		if r, ok := l.request.(alb.AddServersToServerGroupRequest); ok {
			provider, err := auth.ToCredentialsProvider(oldcredentials.NewAccessKeyCredential(who.accessKey, who.secret))
			if err != nil {
				b.Fatal(err)
			}
			bench("RPC-HMAC-SHA1/alibaba-old", func() error {
				req := (&peers{host: "service.example.com"}).toOldAdd(r)
				if err := requests.InitParams(req); err != nil { // the parameters that are signed
					return err
				}
				return auth.Sign(req, nil, who.region, provider)
			})
		}
	}
}

// BenchmarkDecode is a full page of a list, from bytes to the vendor's struct.
func BenchmarkDecode(b *testing.B) {
	bench := func(name string, body string, f func(body []byte) error) {
		b.Run(name+"/seq", func(b *testing.B) {
			b.ReportAllocs()
			data := []byte(body)
			for b.Loop() {
				if err := f(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	const n = alb.ListServerGroupServersMaxPageSize
	servers := answer(fields{"RequestId": "1", "TotalCount": n, "MaxResults": n, "Servers": each(n, func(i int) fields {
		return fields{
			"ServerId": fmt.Sprintf("i-bp%017d", i), "ServerIp": "192.168.1.1", "Port": 8080, "Weight": 100, "ServerType": "Ecs",
			"Status": "Available", "Description": "web server", "ServerGroupId": "sgp-atstuj3rtop00001", "RemoteIpEnabled": false,
		}
	})})
	list := fmt.Sprintf("ALB.ListServerGroupServers/%d/", n)
	bench(list+"ours", servers, func(body []byte) error { return wire.Decode(body, new(alb.ListServerGroupServersResponse)) })
	bench(list+"alb-v2", servers, func(body []byte) error { // as its core does it
		obj, err := dara.ReadAsJSON(bytes.NewReader(body))
		if err != nil {
			return err
		}
		between := map[string]any{}
		if err := dara.Convert(map[string]any{"body": obj, "headers": map[string]*string{}, "statusCode": 200}, &between); err != nil {
			return err
		}
		return dara.Convert(between, new(albv2.ListServerGroupServersResponse))
	})
	bench(list+"alibaba-old", servers, func(body []byte) error {
		return responses.Unmarshal(oldalb.CreateListServerGroupServersResponse(), &http.Response{
			StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)),
		}, "JSON")
	})
	const m = 2000 // the largest page
	members := answer(fields{"request_id": "1", "page_info": fields{"current_count": m}, "members": each(m, func(i int) fields {
		return fullMember(i, "10.0.0.1")
	})})
	list = fmt.Sprintf("ELB.ListMembers/%d/", m)
	bench(list+"ours", members, func(body []byte) error { return wire.Decode(body, new(elb.ListMembersResponse)) })
	bench(list+"huawei-elb", members, func(body []byte) error { return hwutils.Unmarshal(body, new(hwelbmodel.ListMembersResponse)) })
}

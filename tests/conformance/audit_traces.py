"""What the traces of `test_k8s_audit` load besides the upstream rules."""

from __future__ import annotations

EXTRAS = {
    "allow_namespace_foo": "- list: allowed_namespaces\n  items: [foo]\n  append: true\n",
    "allow_user_some_user": "- list: allowed_k8s_users\n  items: [some-user]\n  append: true\n",
    "allow_nginx_container": """\
- macro: allowed_k8s_containers
  condition: (ka.req.pod.containers.image.repository in (nginx))
""",
    "allow_only_apache_container": """\
- macro: allowed_k8s_containers
  condition: (ka.req.pod.containers.image.repository in (apache))
""",
    "trust_nginx_container": """\
- list: k8s_audit_sensitive_mount_images
  items: [nginx]
  append: true
- list: k8s_audit_privileged_images
  items: [nginx]
  append: true
- list: k8s_audit_hostnetwork_images
  items: [nginx]
  append: true
""",
    "disallow_kactivity": """\
- macro: consider_activity_events
  condition: (not jevt.rawtime exists)
""",
    "single_rule_with_json_pointer": """\
- rule: json_pointer_example
  desc: two escapes in pointers
  condition: >
    jevt.value[/annotations/authorization.k8s.io~1decision] exists
    and not jevt.value[/a~1~0b] exists
  output: pointers work
  priority: WARNING
  source: k8s_audit
""",
    # As rules looked before there were fields for lists of containers.
    "engine_v4": """\
- required_engine_version: 2
- list: trusted_images
  items: []
- macro: created
  condition: jevt.value[/stage] = ResponseComplete and ka.verb = create
- macro: new_pod
  condition: created and ka.target.resource = pods and not ka.target.subresource exists
- macro: allowed_k8s_containers
  condition: (jevt.rawtime exists)
- rule: Create Disallowed Pod
  desc: an image that is not allowed
  condition: new_pod and not allowed_k8s_containers
  output: pod (image=%ka.req.container.image)
  priority: WARNING
  source: k8s_audit
- rule: Create Privileged Pod
  desc: a privileged container
  condition: >
    new_pod and ka.req.container.privileged = true
    and not ka.req.container.image.repository in (trusted_images)
  output: pod (image=%ka.req.container.image)
  priority: WARNING
  source: k8s_audit
- rule: Create HostNetwork Pod
  desc: the network of the node
  condition: >
    new_pod and ka.req.container.host_network = true
    and not ka.req.container.image.repository in (trusted_images)
  output: pod (image=%ka.req.container.image)
  priority: WARNING
  source: k8s_audit
""",
    "old_allow_only_apache": """\
- macro: allowed_k8s_containers
  condition: (ka.req.container.image = apache)
""",
    "old_allow_nginx": """\
- macro: allowed_k8s_containers
  condition: (ka.req.container.image.repository = nginx)
""",
    "old_trust_nginx": "- list: trusted_images\n  items: [nginx]\n  append: true\n",
}

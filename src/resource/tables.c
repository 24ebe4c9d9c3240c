/* SPDX-License-Identifier: Apache-2.0
 *
 * Every resource, with its table of properties.  What a property may do stands in defs/; what holds of a whole resource
 * (table, key, which rows are visible, order, page size) stands here.
 */
#include "resource/tables.h"

#include "base/limits.h"
#include "resource/action_outcome.h"

/* Columns of the .def files: PROPERTY(name, sql, type, flags, optional members of struct property). */
#define PROPERTY(name_, sql_, type_, flags_, ...) \
	{.name = name_, .sql = sql_, .type = PROP_##type_, .flags = flags_, __VA_ARGS__},

enum {
	FILTER = P_FILTER,
	FIND = P_FILTER | P_SORT,
	WRITE = P_CREATE | P_PATCH,
	KEY = P_FILTER | P_SORT | P_NOT_NULL,
};

static const struct property tenant_props[] = {
#include "resource/defs/tenant.def"
};
static const struct property subscription_props[] = {
#include "resource/defs/subscription.def"
};
static const struct property subscribed_sku_props[] = {
#include "resource/defs/subscribed_sku.def"
};
static const struct property user_props[] = {
#include "resource/defs/user.def"
};
static const struct property deleted_user_props[] = {
#define DELETED_USER
#include "resource/defs/user.def"
#undef DELETED_USER
};
static const struct property group_props[] = {
#include "resource/defs/group.def"
};
static const struct property application_props[] = {
#include "resource/defs/application.def"
};
static const struct property session_props[] = {
#include "resource/defs/session.def"
};
static const struct property local_account_props[] = {
#include "resource/defs/local_account.def"
};
static const struct property role_assignment_props[] = {
#include "resource/defs/role_assignment.def"
};
static const struct property operator_access_props[] = {
#include "resource/defs/operator_access.def"
};
static const struct property role_props[] = {
#include "resource/defs/role.def"
};
static const struct property managed_device_props[] = {
#include "resource/defs/managed_device.def"
};
static const struct property detected_app_props[] = {
#include "resource/defs/detected_app.def"
};
static const struct property report_job_props[] = {
#include "resource/defs/report_export_job.def"
};
static const struct property ownership_change_props[] = {
#include "resource/defs/ownership_change.def"
};
static const struct property device_asset_props[] = {
#include "resource/defs/device_asset.def"
};
/* Those of devices/cleanup_platforms.def (tests/unit/devices compares). */
#define CLEANUP_TYPES \
	"all|androidAOSP|androidDeviceAdministrator|androidDedicatedAndFullyManagedCorporateOwnedWorkProfile|chromeOS|" \
	"androidPersonallyOwnedWorkProfile|ios|macOS|windows|windowsHolographic|visionOS|tvOS|linux"
static const struct property device_cleanup_rule_props[] = {
#include "resource/defs/device_cleanup_rule.def"
};
/* Those of directory/approval/profiles.def (tests/unit/directory compares). */
#define APPROVAL_TYPES \
	"deviceWipe|deviceRetire|deviceDelete|deviceAction|tenantClosing|personDelete|personExport|auditLogExport|role|tenantConfiguration|" \
	"operationApprovalPolicy"
static const struct property approval_policy_props[] = {
#include "resource/defs/approval_policy.def"
};
static const struct property approval_request_props[] = {
#include "resource/defs/approval_request.def"
};
static const struct property enrollment_token_props[] = {
#include "resource/defs/enrollment_token.def"
};
static const struct property device_configuration_props[] = {
#include "resource/defs/device_configuration.def"
};
static const struct property mobile_app_props[] = {
#include "resource/defs/mobile_app.def"
};
static const struct property assignment_props[] = {
#include "resource/defs/assignment.def"
};
static const struct property terms_props[] = {
#include "resource/defs/terms.def"
};
static const struct property terms_acceptance_props[] = {
#include "resource/defs/terms_acceptance.def"
};

/* Of the device that a row names, and of its person, while it is visible. */
#define OF_DEVICE(column) \
	"(SELECT d." column " FROM managed_devices d WHERE d.tenant_id = t.tenant_id AND d.device_id = t.device_id AND d.hidden_at IS NULL)"
#define OF_OWNER(column) \
	"(SELECT p." column " FROM managed_devices d JOIN users p ON p.tenant_id = d.tenant_id AND p.user_id = d.user_id " \
	"WHERE d.tenant_id = t.tenant_id AND d.device_id = t.device_id AND d.hidden_at IS NULL)"
#define INSTALL_STATE \
	"(CASE t.state WHEN 'installed' THEN 'installed' WHEN 'failed' THEN 'failed' WHEN 'pending' THEN 'pendingInstall' ELSE 'notInstalled' END)"
#define INSTALL_STATES "installed|failed|notInstalled|uninstallFailed|pendingInstall|unknown|notApplicable"
static const struct property device_configuration_state_props[] = {
#include "resource/defs/device_configuration_state.def"
};
static const struct property directory_device_props[] = {
#include "resource/defs/directory_device.def"
};
static const struct property remote_action_audit_props[] = {
#include "resource/defs/remote_action_audit.def"
};
static const struct property troubleshooting_event_props[] = {
#include "resource/defs/troubleshooting_event.def"
};
static const struct property app_install_status_props[] = {
#include "resource/defs/app_install_status.def"
};
static const struct property user_app_install_status_props[] = {
#include "resource/defs/user_app_install_status.def"
};
static const struct property duty_props[] = {
#include "resource/defs/duty.def"
};
static const struct property restore_report_props[] = {
#include "resource/defs/restore_report.def"
};
static const struct property certificate_props[] = {
#include "resource/defs/certificate.def"
};
static const struct property data_policy_operation_props[] = {
#include "resource/defs/data_policy_operation.def"
};
static const struct property data_subject_request_props[] = {
#include "resource/defs/data_subject_request.def"
};
static const struct property disclosure_decision_props[] = {
#include "resource/defs/disclosure_decision.def"
};

static const struct property letter_props[] = {
#include "resource/defs/letter.def"
};

/* What audit/ knows by name, as lists and as SQL; a list may end in "|". */
#define AUDIT_ACTORS "Unknown|ItPro|IW|System|Partner|Application|GuestUser|Device"
static const char AUDIT_CATEGORIES[] =
#define AUDIT_CATEGORY(name) name "|"
#include "audit/categories.def"
#undef AUDIT_CATEGORY
	;
static const char AUDIT_COMPONENTS[] =
#define ACTIVITY(name, category, type, operation, component, display) component "|"
#include "audit/activities.def"
#undef ACTIVITY
	;
static const char AUDIT_TYPES[] =
#define ACTIVITY(name, category, type, operation, component, display) type "|"
#include "audit/activities.def"
#undef ACTIVITY
	;
static const struct property audit_event_props[] = {
#include "resource/defs/audit_event.def"
};
static const struct property audit_export_props[] = {
#include "resource/defs/audit_export.def"
};
static const struct property recipient_props[] = {
#include "resource/defs/recipient.def"
};
static const struct property storage_location_props[] = {
#include "resource/defs/storage_location.def"
};
static const struct property notice_props[] = {
#include "resource/defs/notice.def"
};
static const struct property legal_hold_props[] = {
#include "resource/defs/legal_hold.def"
};
#define WAITING_DUTY \
	"FROM duties d WHERE d.tenant_id = t.tenant_id AND d.subject_id = coalesce(t.device_id, t.user_id) AND d.waits_for = 'legalHold' LIMIT 1"
static const struct property legal_hold_member_props[] = {
#include "resource/defs/legal_hold_member.def"
};
#undef WAITING_DUTY
static const struct property legal_hold_evidence_props[] = {
#include "resource/defs/legal_hold_evidence.def"
};
static const struct property audit_sink_props[] = {
#include "resource/defs/audit_sink.def"
};
static const struct property identity_provider_props[] = {
#include "resource/defs/identity_provider.def"
};
static const struct property identity_provider_role_props[] = {
#include "resource/defs/identity_provider_role.def"
};
static const struct property user_identity_props[] = {
#include "resource/defs/user_identity.def"
};

static const char DIRECTORY_NAMES[] =
#define DIRECTORY_ACTIVITY(type, name, category, operation) name "|"
#include "audit/directory_activities.def"
#undef DIRECTORY_ACTIVITY
	;
static const char DIRECTORY_NAME_SQL[] = "(CASE t.activity_type"
#define DIRECTORY_ACTIVITY(type, name, category, operation) " WHEN '" type "' THEN '" name "'"
#include "audit/directory_activities.def"
#undef DIRECTORY_ACTIVITY
	" END)";
static const char DIRECTORY_NAME_EQ[] = "t.activity_type = (CASE ?"
#define DIRECTORY_ACTIVITY(type, name, category, operation) " WHEN '" name "' THEN '" type "'"
#include "audit/directory_activities.def"
#undef DIRECTORY_ACTIVITY
	" END)";
static const char DIRECTORY_CATEGORY_SQL[] = "(CASE t.activity_type"
#define DIRECTORY_ACTIVITY(type, name, category, operation) " WHEN '" type "' THEN '" category "'"
#include "audit/directory_activities.def"
#undef DIRECTORY_ACTIVITY
	" END)";
static const char DIRECTORY_OPERATION_SQL[] = "(CASE t.activity_type"
#define DIRECTORY_ACTIVITY(type, name, category, operation) " WHEN '" type "' THEN '" operation "'"
#include "audit/directory_activities.def"
#undef DIRECTORY_ACTIVITY
	" END)";
static const struct property directory_audit_props[] = {
#include "resource/defs/directory_audit.def"
};

#define PROPS(table_) .props = table_, .prop_count = sizeof(table_) / sizeof((table_)[0])
#define PROPS_FIT(table_) \
	_Static_assert(sizeof(table_) / sizeof((table_)[0]) <= RECORD_PROPS_MAX, "RECORD_PROPS_MAX is too small")
PROPS_FIT(managed_device_props); /* the longest table */

/* The person whom a row belongs to; a person who is gone leaves NULLs. */
#define JOIN_USER "LEFT JOIN users u ON u.tenant_id = t.tenant_id AND u.user_id = t.user_id"

const struct resource RES_TENANT = {
	.name = "tenant", .entity = "Tenant", .context = "tenants", .table = "tenants", .key = "tenant_id",
	.where = "1=1", .order = "id", .global = true, .whose = WHOSE_NOBODYS, PROPS(tenant_props)};

const struct resource RES_SUBSCRIPTION = {
	.name = "companySubscription", .entity = "Subscription", .context = "directory/subscriptions",
	.table = "subscriptions", .key = "subscription_id", .where = "1=1", .order = "id",
	.whose = WHOSE_NOBODYS, PROPS(subscription_props)};

const struct resource RES_SUBSCRIBED_SKU = {
	.name = "subscribedSku", .entity = "Subscription", .context = "subscribedSkus", .table = "subscriptions",
	.key = "subscription_id", .where = "1=1", .order = "id", .whose = WHOSE_NOBODYS, PROPS(subscribed_sku_props)};

const struct resource RES_USER = {
	.name = "user", .entity = "User", .context = "users", .table = "users", .key = "user_id",
	.where = "t.deleted_at IS NULL", .order = "id", .page_default = 100, .page_max = 999, .whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(user_props)};

/* Restorable ones: whoever is being erased is gone from sight at once. */
const struct resource RES_DELETED_USER = {
	.name = "user", .entity = "User", .odata_type = "#microsoft.graph.user", .context = "directory/deletedItems",
	.table = "users", .key = "user_id",
	.where = "t.deleted_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM duties d WHERE d.tenant_id = t.tenant_id AND "
		 "d.subject_id = t.user_id AND d.state NOT IN ('scheduled', 'copies_gone', 'cancelled'))",
	.order = "deletedDateTime", .order_descending = true, .page_default = 100, .page_max = 999,
	.whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(deleted_user_props)};

const struct resource RES_GROUP = {
	.name = "group", .entity = "Group", .context = "groups", .table = "groups", .key = "group_id",
	.where = "1=1", .order = "id", .page_default = 100, .page_max = 999, .whose = WHOSE_NOBODYS, PROPS(group_props)};

const struct resource RES_APPLICATION = {
	.name = "application", .entity = "Application", .context = "applications", .table = "applications",
	.key = "application_id", .where = "1=1", .order = "id", .page_default = 100, .page_max = 999,
	.whose = WHOSE_NOBODYS, PROPS(application_props)};

const struct resource RES_SESSION = {
	.name = "session", .entity = "User", .context = "me/sessions", .table = "sessions", .key = "session_id", .where = "1=1", .order = "id",
	.order_descending = true, .always_count = true, .whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(session_props)};

const struct resource RES_LOCAL_ACCOUNT = {
	.name = "localAccount", .entity = "LocalAccount", .context = "identity/localAccounts", .table = "local_accounts", .key = "user_id", .join = JOIN_USER,
	.where = "EXISTS (SELECT 1 FROM users v WHERE v.tenant_id = t.tenant_id AND v.user_id = t.user_id AND v.deleted_at IS NULL)", .order = "id",
	.always_count = true, .whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(local_account_props)};

const struct resource RES_ROLE = {
	.name = "unifiedRoleDefinition", .entity = "RoleDefinition", .context = "roleManagement/directory/roleDefinitions",
	.table = "roles", .key = "role_id", .where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_NOBODYS, PROPS(role_props)};

const struct resource RES_ROLE_ASSIGNMENT = {
	.name = "unifiedRoleAssignment", .entity = "RoleAssignment", .context = "roleManagement/directory/roleAssignments",
	.table = "role_assignments", .key = "assignment_id", .where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_PERSONS, .owner = "t.user_id",
	PROPS(role_assignment_props)};

const struct resource RES_OPERATOR_ACCESS = {
	.name = "operatorAccess", .entity = "OperatorAccess", .context = "roleManagement/directory/operatorAccess",
	.table = "operator_access", .key = "grant_id", .where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_TENANTS,
	PROPS(operator_access_props)};

const struct resource RES_MANAGED_DEVICE = {
	.name = "managedDevice", .entity = "ManagedDevice", .context = "deviceManagement/managedDevices",
	.table = "managed_devices", .key = "device_id", .join = JOIN_USER, .where = "t.hidden_at IS NULL",
	.order = "id", .always_count = true, .page_default = 1000, .page_max = 1000, .whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(managed_device_props)};

const struct resource RES_OWNERSHIP_CHANGE = {
	.name = "ownershipChange", .entity = "OwnershipChange", .context = "deviceManagement/ownershipChanges",
	.table = "ownership_changes", .key = "change_id", .where = "1=1", .order = "id", .order_descending = true, .always_count = true,
	.whose = WHOSE_DEVICES, .owner = "t.device_id", PROPS(ownership_change_props)};

const struct resource RES_APPROVAL_POLICY = {
	.name = "operationApprovalPolicy", .entity = "OperationApprovalPolicy", .context = "deviceManagement/operationApprovalPolicies",
	.table = "operation_approval_policies", .key = "policy_id", .where = "1=1", .whose = WHOSE_NOBODYS, .order = "id", .always_count = true,
	PROPS(approval_policy_props)};

const struct resource RES_APPROVAL_REQUEST = {
	.name = "operationApprovalRequest", .entity = "OperationApprovalRequest", .context = "deviceManagement/operationApprovalRequests",
	.table = "operation_approval_requests", .key = "request_id", .where = "1=1", .whose = WHOSE_PERSONS, .owner = "t.user_id", .order = "id",
	.order_descending = true, .always_count = true, PROPS(approval_request_props)};

const struct resource RES_DEVICE_ASSET = {
	.name = "deviceAsset", .entity = "DeviceAsset", .context = "deviceManagement/deviceAssets", .table = "device_assets",
	.key = "asset_id", .where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_NOBODYS, PROPS(device_asset_props)};

const struct resource RES_DEVICE_CLEANUP_RULE = {
	.name = "managedDeviceCleanupRule", .entity = "ManagedDeviceCleanupRule", .context = "deviceManagement/managedDeviceCleanupRules",
	.table = "device_cleanup_rules", .key = "rule_id", .where = "1=1", .order = "id", .always_count = true,
	.whose = WHOSE_NOBODYS, PROPS(device_cleanup_rule_props)};

const struct resource RES_DETECTED_APP = {
	.name = "detectedApp", .entity = "DetectedApp", .context = "deviceManagement/detectedApps",
	.table = "detected_apps", .key = "device_id,name,version", .where = "1=1", .order = "displayName",
	.always_count = true, .page_default = 1000, .page_max = 1000, .whose = WHOSE_DEVICES, .owner = "t.device_id", PROPS(detected_app_props)};

const struct resource RES_REPORT_JOB = {
	.name = "deviceManagementExportJob", .entity = "ReportExportJob", .context = "deviceManagement/reports/exportJobs",
	.table = "report_jobs", .key = "job_id", .where = "1=1", .order = "requestDateTime", .order_descending = true,
	.whose = WHOSE_ASKERS, PROPS(report_job_props)};

const struct resource RES_ENROLLMENT_TOKEN = {
	.name = "enrollmentToken", .entity = "EnrollmentToken", .context = "deviceManagement/enrollmentTokens",
	.table = "enrollment_tokens", .key = "token_id", .join = JOIN_USER, .where = "1=1", .order = "id",
	.always_count = true, .whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(enrollment_token_props)};

const struct resource RES_DEVICE_CONFIGURATION = {
	.name = "deviceConfiguration", .entity = "DeviceConfiguration",
	.context = "deviceManagement/deviceConfigurations", .table = "device_configurations",
	.key = "configuration_id", .where = "1=1", .order = "id", .always_count = true,
	.whose = WHOSE_NOBODYS, PROPS(device_configuration_props)};

const struct resource RES_MOBILE_APP = {
	.name = "mobileApp", .entity = "MobileApp", .context = "deviceAppManagement/mobileApps",
	.table = "mobile_apps", .key = "app_id", .where = "1=1", .order = "id", .always_count = true,
	.whose = WHOSE_NOBODYS, PROPS(mobile_app_props)};

const struct resource RES_ASSIGNMENT = {
	.name = "assignment", .entity = "Assignment", .context = "assignments", .table = "assignments",
	.key = "assignment_id", .where = "1=1", .order = "id", .whose = WHOSE_NOBODYS, PROPS(assignment_props)};

const struct resource RES_TERMS = {
	.name = "termsAndConditions", .entity = "TermsAndConditions",
	.context = "deviceManagement/termsAndConditions", .table = "terms_and_conditions", .key = "terms_id",
	.where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_NOBODYS, PROPS(terms_props)};

const struct resource RES_TERMS_ACCEPTANCE = {
	.name = "termsAndConditionsAcceptanceStatus", .entity = "TermsAndConditionsAcceptanceStatus",
	.context = "deviceManagement/termsAndConditions/acceptanceStatuses", .table = "terms_acceptances",
	.key = "terms_id,user_id,version", .join = JOIN_USER, .where = "1=1", .always_count = true,
	.whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(terms_acceptance_props)};

#define VISIBLE_DEVICE \
	"EXISTS (SELECT 1 FROM managed_devices v WHERE v.tenant_id = t.tenant_id AND v.device_id = t.device_id AND v.hidden_at IS NULL)"

const struct resource RES_DEVICE_CONFIGURATION_STATE = {
	.name = "deviceConfigurationState", .entity = "DeviceConfiguration",
	.context = "deviceManagement/managedDevices/deviceConfigurationStates", .table = "provisioned_items", .key = "item_id",
	.where = "t.item_type = 'deviceConfiguration'", .order = "id", .always_count = true,
	.whose = WHOSE_DEVICES, .owner = "t.device_id", PROPS(device_configuration_state_props)};

const struct resource RES_DIRECTORY_DEVICE = {
	.name = "device", .entity = "ManagedDevice", .odata_type = "#microsoft.graph.device", .context = "directoryObjects",
	.table = "managed_devices", .key = "device_id", .where = "t.hidden_at IS NULL", .order = "managedDeviceId", .page_default = 100,
	.page_max = 999, .whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(directory_device_props)};

const struct resource RES_REMOTE_ACTION_AUDIT = {
	.name = "remoteActionAudit", .entity = "ManagedDevice", .context = "deviceManagement/remoteActionAudits", .table = "device_actions",
	.key = "action_id", .where = "1=1", .order = "requestDateTime", .order_descending = true, .always_count = true, .page_default = 1000,
	.page_max = 1000, .whose = WHOSE_DEVICES, .owner = "t.device_id", PROPS(remote_action_audit_props)};

const struct resource RES_TROUBLESHOOTING_EVENT = {
	.name = "deviceManagementTroubleshootingEvent", .entity = "ManagedDevice",
	.odata_type = "#microsoft.graph.deviceManagementTroubleshootingEvent",
	.context = "users/deviceManagementTroubleshootingEvents", .table = "provisioned_items", .key = "device_id,item_id",
	.where = "t.state = 'failed' AND " VISIBLE_DEVICE, .always_count = true,
	.whose = WHOSE_DEVICES, .owner = "t.device_id", PROPS(troubleshooting_event_props)};

const struct resource RES_APP_INSTALL_STATUS = {
	.name = "mobileAppInstallStatus", .entity = "MobileApp", .context = "deviceAppManagement/mobileApps/deviceStatuses",
	.table = "provisioned_items", .key = "item_id,device_id", .where = VISIBLE_DEVICE, .always_count = true, .page_default = 1000,
	.page_max = 1000, .whose = WHOSE_DEVICES, .owner = "t.device_id", PROPS(app_install_status_props)};

const struct resource RES_USER_APP_INSTALL_STATUS = {
	.name = "userAppInstallStatus", .entity = "MobileApp", .context = "deviceAppManagement/mobileApps/userStatuses", .table = "users",
	.key = "user_id", .where = "t.deleted_at IS NULL", .order = "id", .always_count = true, .page_default = 1000, .page_max = 1000,
	.whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(user_app_install_status_props)};

/* An export's duty is its person's; of a device that is gone nobody knows whose it was. */
#define DUTY_PERSON \
	"(CASE t.subject_type WHEN 'user' THEN t.subject_id " \
	"WHEN 'device' THEN (SELECT d.user_id FROM managed_devices d WHERE d.tenant_id = t.tenant_id AND d.device_id = t.subject_id) " \
	"WHEN 'export' THEN (SELECT o.user_id FROM data_policy_operations o WHERE o.tenant_id = t.tenant_id AND o.operation_id = t.subject_id) END)"
const struct resource RES_DUTY = {
	.name = "erasureDuty", .entity = "ErasureDuty", .context = "privacy/erasureDuties", .table = "duties",
	.key = "duty_id", .where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_PERSONS, .owner = DUTY_PERSON, PROPS(duty_props)};

const struct resource RES_CERTIFICATE = {
	.name = "erasureCertificate", .entity = "ErasureCertificate", .context = "privacy/erasureCertificates",
	.table = "certificates", .key = "certificate_id", .where = "1=1", .order = "id", .always_count = true,
	.whose = WHOSE_TENANTS, PROPS(certificate_props)};

const struct resource RES_RESTORE_REPORT = {
	.name = "restoreReport", .entity = "RestoreReport", .context = "installation/restoreReports", .table = "restore_reports",
	.key = "report_id", .where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_TENANTS, PROPS(restore_report_props)};

const struct resource RES_DATA_POLICY_OPERATION = {
	.name = "dataPolicyOperation", .entity = "DataPolicyOperation", .context = "dataPolicyOperations",
	.table = "data_policy_operations", .key = "operation_id", .where = "1=1", .order = "id",
	.whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(data_policy_operation_props)};

const struct resource RES_DISCLOSURE_DECISION = {
	.name = "disclosureDecision", .entity = "DisclosureDecision",
	.context = "deviceManagement/dataSubjectRequests/disclosureDecisions", .table = "disclosure_decisions", .key = "decision_id",
	.where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(disclosure_decision_props)};

const struct resource RES_LETTER = {
	.name = "letter", .entity = "Letter", .context = "deviceManagement/dataSubjectRequests/letters", .table = "letters",
	.key = "letter_id", .where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(letter_props)};

/* What is due first stands first. */
const struct resource RES_DATA_SUBJECT_REQUEST = {
	.name = "dataSubjectRequest", .entity = "DataSubjectRequest", .context = "deviceManagement/dataSubjectRequests",
	.table = "data_subject_requests", .key = "request_id", .join = JOIN_USER, .where = "1=1", .order = "dueDateTime", .always_count = true,
	.whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(data_subject_request_props)};

/* No count unasked: it costs a look at every event. */
const struct resource RES_AUDIT_EVENT = {
	.name = "auditEvent", .entity = "AuditEvent", .context = "deviceManagement/auditEvents",
	.table = "audit_events", .key = "event_id", .content = "bytes", .where = "1=1", .order = "activityDateTime",
	.order_descending = true, .page_default = 1000, .page_max = 1000,
	.whose = WHOSE_PERSONS, .owner = "t.subject_id", PROPS(audit_event_props)};

/* The condition is that of its index. */
const struct resource RES_DIRECTORY_AUDIT = {
	.name = "directoryAudit", .entity = "AuditEvent", .context = "auditLogs/directoryAudits",
	.table = "audit_events", .key = "event_id", .content = "bytes", .where = "t.component = 'Directory' AND t.operation <> 'Get'",
	.order = "activityDateTime", .order_descending = true, .page_default = 100, .page_max = 1000,
	.whose = WHOSE_PERSONS, .owner = "t.subject_id", PROPS(directory_audit_props)};

const struct resource RES_AUDIT_SINK = {
	.name = "auditSink", .entity = "AuditSink", .context = "deviceManagement/auditSinks", .table = "audit_sinks",
	.key = "sink_id", .where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_NOBODYS, PROPS(audit_sink_props)};

const struct resource RES_IDENTITY_PROVIDER = {
	.name = "openIdConnectIdentityProvider", .entity = "IdentityProvider", .odata_type = "#microsoft.graph.openIdConnectIdentityProvider",
	.context = "identity/identityProviders", .table = "identity_providers", .key = "provider_id", .where = "1=1", .order = "id", .whose = WHOSE_NOBODYS,
	PROPS(identity_provider_props)};

const struct resource RES_IDENTITY_PROVIDER_ROLE = {
	.name = "identityProviderRole", .entity = "IdentityProviderRole", .context = "identity/identityProviders/roles",
	.table = "identity_provider_roles", .key = "mapping_id", .where = "1=1", .order = "id", .whose = WHOSE_NOBODYS,
	PROPS(identity_provider_role_props)};

const struct resource RES_USER_IDENTITY = {
	.name = "objectIdentity", .entity = "UserIdentity", .context = "users/identities", .table = "user_identities", .key = "identity_id",
	.where = "1=1", .order = "id", .whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(user_identity_props)};

const struct resource RES_RECIPIENT = {
	.name = "recipient", .entity = "Recipient", .context = "deviceManagement/recipients", .table = "recipients",
	.key = "recipient_id", .where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_NOBODYS, PROPS(recipient_props)};

const struct resource RES_STORAGE_LOCATION = {
	.name = "storageLocation", .entity = "StorageLocation", .context = "deviceManagement/storageLocations", .table = "storage_locations",
	.key = "location_id", .where = "1=1", .order = "id", .always_count = true, .whose = WHOSE_NOBODYS, PROPS(storage_location_props)};

const struct resource RES_NOTICE = {
	.name = "notice", .entity = "Notice", .context = "deviceManagement/notices", .table = "notices",
	.key = "notice_id", .where = "1=1", .order = "id", .order_descending = true, .whose = WHOSE_PERSONS, .owner = "t.user_id", PROPS(notice_props)};

const struct resource RES_LEGAL_HOLD = {
	.name = "legalHold", .entity = "LegalHold", .context = "deviceManagement/legalHolds", .table = "legal_holds",
	.key = "hold_id", .where = "1=1", .order = "id", .whose = WHOSE_TENANTS, PROPS(legal_hold_props)};

const struct resource RES_LEGAL_HOLD_MEMBER = {
	.name = "legalHoldMember", .entity = "LegalHoldMember", .context = "deviceManagement/legalHolds/members", .table = "legal_hold_members",
	.key = "member_id", .where = "1=1", .order = "id", .whose = WHOSE_TENANTS, PROPS(legal_hold_member_props)};

const struct resource RES_LEGAL_HOLD_EVIDENCE = {
	.name = "legalHoldEvidence", .entity = "LegalHoldEvidence", .context = "deviceManagement/legalHolds/evidence",
	.table = "legal_hold_evidence", .key = "evidence_id", .content = "event", .where = "1=1", .order = "id",
	.whose = WHOSE_TENANTS, PROPS(legal_hold_evidence_props)};

const struct resource RES_AUDIT_EXPORT = {
	.name = "auditExport", .entity = "AuditExport", .context = "deviceManagement/auditLog/exports", .table = "audit_exports",
	.key = "export_id", .where = "1=1", .order = "id", .order_descending = true, .whose = WHOSE_ASKERS, PROPS(audit_export_props)};

const struct resource *const *resource_all(size_t *ret_n)
{
	static const struct resource *const all[] = {
		&RES_TENANT, &RES_SUBSCRIPTION, &RES_SUBSCRIBED_SKU, &RES_USER, &RES_DELETED_USER, &RES_GROUP, &RES_APPLICATION,
		&RES_APPROVAL_POLICY, &RES_APPROVAL_REQUEST, &RES_ROLE, &RES_ROLE_ASSIGNMENT, &RES_OPERATOR_ACCESS, &RES_MANAGED_DEVICE, &RES_OWNERSHIP_CHANGE,
		&RES_DEVICE_ASSET, &RES_DEVICE_CLEANUP_RULE,
		&RES_DETECTED_APP, &RES_REPORT_JOB, &RES_ENROLLMENT_TOKEN, &RES_DEVICE_CONFIGURATION, &RES_MOBILE_APP,
		&RES_ASSIGNMENT, &RES_TERMS, &RES_TERMS_ACCEPTANCE, &RES_DEVICE_CONFIGURATION_STATE, &RES_DIRECTORY_DEVICE,
		&RES_REMOTE_ACTION_AUDIT, &RES_TROUBLESHOOTING_EVENT, &RES_APP_INSTALL_STATUS, &RES_USER_APP_INSTALL_STATUS,
		&RES_DUTY, &RES_CERTIFICATE, &RES_RESTORE_REPORT, &RES_DATA_POLICY_OPERATION, &RES_DATA_SUBJECT_REQUEST, &RES_LETTER,
		&RES_DISCLOSURE_DECISION,
		&RES_RECIPIENT, &RES_STORAGE_LOCATION, &RES_NOTICE, &RES_LEGAL_HOLD, &RES_LEGAL_HOLD_MEMBER, &RES_LEGAL_HOLD_EVIDENCE,
		&RES_AUDIT_SINK, &RES_IDENTITY_PROVIDER, &RES_IDENTITY_PROVIDER_ROLE, &RES_USER_IDENTITY,
		&RES_AUDIT_EVENT, &RES_AUDIT_EXPORT, &RES_DIRECTORY_AUDIT};
	*ret_n = sizeof all / sizeof all[0];
	return all;
}

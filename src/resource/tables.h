/* SPDX-License-Identifier: Apache-2.0
 * The resources of Reeve; their properties stand in defs/<resource>.def. */
#ifndef REEVE_RESOURCE_TABLES_H
#define REEVE_RESOURCE_TABLES_H

#include "resource/resource.h"

extern const struct resource RES_TENANT;
extern const struct resource RES_SUBSCRIPTION;   /* directory/subscriptions */
extern const struct resource RES_SUBSCRIBED_SKU; /* the same rows as subscribedSkus */
extern const struct resource RES_USER;
extern const struct resource RES_DELETED_USER;
extern const struct resource RES_GROUP;
extern const struct resource RES_APPLICATION;
extern const struct resource RES_ROLE_ASSIGNMENT;
extern const struct resource RES_ROLE;
extern const struct resource RES_OPERATOR_ACCESS;
extern const struct resource RES_MANAGED_DEVICE;
extern const struct resource RES_OWNERSHIP_CHANGE;
extern const struct resource RES_APPROVAL_POLICY;  /* what needs a second person */
extern const struct resource RES_APPROVAL_REQUEST; /* and what waits for one */
extern const struct resource RES_DEVICE_ASSET;   /* company machines after a wipe */
extern const struct resource RES_DEVICE_CLEANUP_RULE;
extern const struct resource RES_DETECTED_APP;
extern const struct resource RES_REPORT_JOB;
extern const struct resource RES_ENROLLMENT_TOKEN;
extern const struct resource RES_DEVICE_CONFIGURATION;
extern const struct resource RES_MOBILE_APP;
extern const struct resource RES_ASSIGNMENT;
extern const struct resource RES_TERMS;
extern const struct resource RES_TERMS_ACCEPTANCE;
extern const struct resource RES_DEVICE_CONFIGURATION_STATE;
extern const struct resource RES_DIRECTORY_DEVICE;      /* managed devices as the directory knows them */
extern const struct resource RES_REMOTE_ACTION_AUDIT;
extern const struct resource RES_TROUBLESHOOTING_EVENT; /* what failed on a person's devices */
extern const struct resource RES_APP_INSTALL_STATUS;
extern const struct resource RES_USER_APP_INSTALL_STATUS;
extern const struct resource RES_DUTY;
extern const struct resource RES_CERTIFICATE;
extern const struct resource RES_RESTORE_REPORT;
extern const struct resource RES_DATA_POLICY_OPERATION;
extern const struct resource RES_DATA_SUBJECT_REQUEST;
extern const struct resource RES_DISCLOSURE_DECISION;
extern const struct resource RES_LETTER;       /* …/dataSubjectRequests/{id}/letters */
extern const struct resource RES_RECIPIENT;    /* whom the organisation has told of erasures and alarms */
extern const struct resource RES_STORAGE_LOCATION; /* where exports may be sent */
extern const struct resource RES_NOTICE;
extern const struct resource RES_LEGAL_HOLD;
extern const struct resource RES_LEGAL_HOLD_MEMBER;
extern const struct resource RES_LEGAL_HOLD_EVIDENCE;
extern const struct resource RES_AUDIT_EVENT;
extern const struct resource RES_AUDIT_EXPORT;
extern const struct resource RES_AUDIT_SINK;
extern const struct resource RES_IDENTITY_PROVIDER;
extern const struct resource RES_IDENTITY_PROVIDER_ROLE;
extern const struct resource RES_USER_IDENTITY; /* …/users/{id}/identities */
extern const struct resource RES_SESSION;       /* where people are signed in */
extern const struct resource RES_LOCAL_ACCOUNT;
extern const struct resource RES_DIRECTORY_AUDIT; /* those of the directory, in Entra's words */

#endif

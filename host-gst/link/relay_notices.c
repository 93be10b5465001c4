#include "host-gst/link/relay_notices.h"

static void structure_post(GstElement *element, GstStructure *structure)
{
    gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), structure));
}

static const char *lease_text(enum relay_client_lease lease)
{
    switch (lease) {
    case RELAY_CLIENT_LEASE_FREE:
        return "free";
    case RELAY_CLIENT_LEASE_OURS:
        return "ours";
    case RELAY_CLIENT_LEASE_TAKEN:
        return "taken";
    case RELAY_CLIENT_LEASE_REFUSED:
        return "refused";
    case RELAY_CLIENT_LEASE_WANTED:
        return "wanted";
    }
    return "unknown";
}

static void expiry_post(GstElement *element, const struct relay_client_notice *notice)
{
    const char *fault = relay_client_renewal_fault(notice->renewal);

    structure_post(element, gst_structure_new("relay-token", "renewed", G_TYPE_BOOLEAN,
                                              notice->renewal == RELAY_CLIENT_RENEWAL_DONE,
                                              "expires", G_TYPE_UINT64, notice->expires_s, NULL));
    if (fault != NULL) {
        GST_ELEMENT_WARNING(element, RESOURCE, NOT_AUTHORIZED,
                            ("the relay did not take the new token: %s", fault), (NULL));
    }
}

void relay_notices_post(GstElement *element, const struct relay_client_notice *notice)
{
    switch (notice->kind) {
    case RELAY_CLIENT_NOTICE_VIEWERS:
        break; /* a property */
    case RELAY_CLIENT_NOTICE_STREAM:
        structure_post(element,
                       gst_structure_new("relay-stream", "live", G_TYPE_BOOLEAN, notice->is_live,
                                         "publishers", G_TYPE_UINT, notice->publishers, NULL));
        break;
    case RELAY_CLIENT_NOTICE_LEASE:
        structure_post(element, gst_structure_new("relay-lease", "state", G_TYPE_STRING,
                                                  lease_text(notice->lease), "refused", G_TYPE_UINT,
                                                  notice->lease_refused, "idle-ms", G_TYPE_UINT,
                                                  notice->lease_idle_ms, NULL));
        break;
    case RELAY_CLIENT_NOTICE_EXPIRY:
        expiry_post(element, notice);
        break;
    }
}

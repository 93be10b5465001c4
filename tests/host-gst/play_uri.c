/* Plays a URI with the element that applications use (playbin3 or uridecodebin3), as they do: the
 * token is set on the source once it is made. Ends well when so many pictures are decoded.
 * play_uri ELEMENT URI TOKEN-FILE PICTURES */
#include <gst/gst.h>
#include <stdlib.h>

static const char *token_file;
static gint wanted;
static GMainLoop *loop;

static void on_element_added(GstBin *bin, GstBin *sub_bin, GstElement *element, gpointer data)
{
    GstElementFactory *factory = gst_element_get_factory(element);

    if (factory != NULL && g_str_equal(GST_OBJECT_NAME(factory), "relaysrc")) {
        g_object_set(element, "token-file", token_file, NULL);
    }
}

static void on_picture(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer data)
{
    GstCaps *caps = gst_pad_get_current_caps(pad);

    if (g_atomic_int_dec_and_test(&wanted)) {
        g_print("decoded %s\n", gst_structure_get_name(gst_caps_get_structure(caps, 0)));
        g_main_loop_quit(loop);
    }
    gst_caps_unref(caps);
}

static GstElement *sink_new(void)
{
    GstElement *sink = gst_element_factory_make("fakesink", NULL);

    g_object_set(sink, "signal-handoffs", TRUE, "sync", TRUE, NULL);
    g_signal_connect(sink, "handoff", G_CALLBACK(on_picture), NULL);
    return sink;
}

static void on_pad_added(GstElement *player, GstPad *pad, gpointer pipeline)
{
    GstElement *sink = sink_new();
    GstPad *target = gst_element_get_static_pad(sink, "sink");

    gst_bin_add(GST_BIN(pipeline), sink);
    gst_element_sync_state_with_parent(sink);
    gst_pad_link(pad, target);
    gst_object_unref(target);
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer data)
{
    GError *error = NULL;
    char *detail = NULL;

    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        gst_message_parse_error(message, &error, &detail);
        g_printerr("%s (%s)\n", error->message, detail);
        exit(1);
    }
    return TRUE;
}

/* playbin3 has sinks of its own; a decoder is put into a pipeline. */
static GstElement *pipeline_new(const char *name, const char *uri)
{
    GstElement *player = gst_element_factory_make(name, NULL), *pipeline = player;

    g_object_set(player, "uri", uri, NULL);
    g_signal_connect(player, "deep-element-added", G_CALLBACK(on_element_added), NULL);
    if (GST_IS_PIPELINE(player)) {
        g_object_set(player, "video-sink", sink_new(), "audio-sink",
                     gst_element_factory_make("fakesink", NULL), NULL);
    } else {
        pipeline = gst_pipeline_new(NULL);
        gst_bin_add(GST_BIN(pipeline), player);
        g_signal_connect(player, "pad-added", G_CALLBACK(on_pad_added), pipeline);
    }
    return pipeline;
}

int main(int argc, char **argv)
{
    GstElement *pipeline;
    GstBus *bus;

    gst_init(&argc, &argv);
    if (argc != 5) {
        return 2;
    }
    token_file = argv[3];
    wanted = (gint)strtol(argv[4], NULL, 10);
    loop = g_main_loop_new(NULL, FALSE);
    pipeline = pipeline_new(argv[1], argv[2]);
    bus = gst_element_get_bus(pipeline);
    gst_bus_add_watch(bus, on_message, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_main_loop_run(loop);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_bus_remove_watch(bus);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
    g_main_loop_unref(loop);
    return 0;
}

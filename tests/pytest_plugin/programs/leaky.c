/* A Python extension: lose(n) loses n bytes of malloc's memory, touched; keep(n) frees what it allocates. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

static PyObject *lose(PyObject *self, PyObject *argument)
{
    Py_ssize_t size = PyLong_AsSsize_t(argument);
    char *lost = size > 0 ? malloc(size) : NULL;
    if (lost == NULL)
        return PyErr_NoMemory();
    memset(lost, 1, size);
    Py_RETURN_NONE;
}

static PyObject *give_back(PyObject *self, PyObject *argument)
{
    Py_ssize_t size = PyLong_AsSsize_t(argument);
    char *used = size > 0 ? malloc(size) : NULL;
    if (used == NULL)
        return PyErr_NoMemory();
    memset(used, 1, size);
    free(used);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"lose", lose, METH_O, NULL},
    {"give_back", give_back, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "leaky", NULL, -1, methods};

PyMODINIT_FUNC PyInit_leaky(void) { return PyModule_Create(&module); }

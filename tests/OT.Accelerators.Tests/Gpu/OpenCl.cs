using OT.Accelerators.Gpu.OpenCl;
using OT.Backends;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu;

/// <summary>An OpenCL device for tests, whichever there is; a processor will do.</summary>
static class OpenCl
{
    /// <summary>Kinds of <see cref="SomeGeometry"/> that kernels take.</summary>
    public static readonly string[] Kinds =
    [
        "doubles",
        "floats",
        "signed",
        "points1",
        "points2",
        "points3",
        "points7",
        "points far away",
        "half squared",
        "euclidean",
        "cityblock",
        "chebyshev",
        "minkowski",
        "power",
        "cosine",
        "forbidden",
        "forbidden floats",
    ];

    /// <summary>Opens it; skips where there is none, unless <c>OT_REQUIRE</c> names it.</summary>
    public static OpenClBackend Open(bool withDoubles = true)
    {
        try
        {
            return new OpenClBackend(withDoubles);
        }
        catch (BackendException e)
        {
            string required = Environment.GetEnvironmentVariable("OT_REQUIRE") ?? "";
            Assert.SkipUnless(required.Split(',').Contains("opencl", StringComparer.Ordinal), e.Message);
            throw;
        }
    }
}

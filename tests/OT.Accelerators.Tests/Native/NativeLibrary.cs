using System.Runtime.InteropServices;
using OT.Accelerators.Native;
using Xunit;

namespace OT.Accelerators.Tests.Native;

/// <summary>Whether libot is here, and in which instruction sets it runs.</summary>
static class NativeLibrary
{
    /// <summary>Those of this kind of processor; the last ones are skipped where this one lacks them.</summary>
    public static IReadOnlyList<LibOt.Isa> Isas { get; } =
        RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => [LibOt.Isa.Scalar, LibOt.Isa.Avx2, LibOt.Isa.Avx512],
            Architecture.Arm64 => [LibOt.Isa.Scalar, LibOt.Isa.Neon],
            _ => [LibOt.Isa.Scalar],
        };

    /// <summary>Skips where libot was not built, unless <c>OT_REQUIRE</c> names it.</summary>
    public static void Require()
    {
        NativeLoader.Opened library = NativeLoader.Open(LibOt.Library);
        if (library.Found)
            return;
        string reason = $"libot was not built: {string.Join("; ", library.Attempts)}";
        string required = Environment.GetEnvironmentVariable("OT_REQUIRE") ?? "";
        Assert.False(required.Split(',').Contains("native"), reason);
        Assert.Skip(reason);
    }

    /// <summary>Whether a kernel of <see cref="Isas"/> runs on this processor.</summary>
    public static bool Runs(LibOt.Isa isa) => isa <= LibOt.BestIsa;

    /// <summary>Skips where this processor lacks an instruction set, or libot.</summary>
    public static NativeBackend Open(LibOt.Isa isa, int threads = 2)
    {
        Require();
        Assert.SkipUnless(Runs(isa), $"No {isa} on this processor.");
        return new NativeBackend(threads, null, isa);
    }
}

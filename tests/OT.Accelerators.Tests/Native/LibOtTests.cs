using System.Reflection;
using OT.Accelerators.Native;
using OT.Backends;
using Xunit;

namespace OT.Accelerators.Tests.Native;

[Collection(NativePaths.Name)]
public sealed class LibOtTests
{
    [Fact]
    public void Version_is_that_of_the_managed_library()
    {
        NativeLibrary.Require();
        string managed = typeof(LibOt).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

        Assert.Equal(managed.Split('+', '-')[0], LibOt.Version);
    }

    [Fact]
    public void Instruction_set_is_one_that_this_processor_has()
    {
        NativeLibrary.Require();

        bool present = LibOt.NameOf(LibOt.BestIsa) switch
        {
            "avx512" => System.Runtime.Intrinsics.X86.Avx512BW.VL.IsSupported
                && System.Runtime.Intrinsics.X86.Avx512DQ.IsSupported,
            "avx2" => System.Runtime.Intrinsics.X86.Avx2.IsSupported,
            "neon" => System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported,
            "scalar" => true,
            _ => false,
        };
        Assert.True(present, LibOt.BestIsa.ToString());
    }

    [Fact]
    public unsafe void A_failed_call_carries_status_and_text()
    {
        NativeLibrary.Require();

        int status = LibOt.ot_version(null);
        var thrown = Assert.Throws<BackendException>(() => LibOt.Check(status));

        Assert.Equal(-1, thrown.NativeCode);
        Assert.Contains("text is null", thrown.Message, StringComparison.Ordinal);
    }
}

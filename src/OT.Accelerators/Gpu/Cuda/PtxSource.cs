using System.Security.Cryptography;
using System.Text;

namespace OT.Accelerators.Gpu.Cuda;

/// <summary>The kernels as PTX, text that the driver compiles for its device: embedded in this assembly, made from the sources beside it.</summary>
static class PtxSource
{
    /// <summary>What the compiler is told beside the defines of a module.</summary>
    public const string Flags =
        "-x cuda --cuda-device-only -nocudainc -nocudalib --cuda-gpu-arch=sm_80 -O3 -std=c++17 -ffp-contract=on -fno-ident -Xclang -target-feature -Xclang +ptx70 -include cuda_compat.h";

    /// <summary>Start of the line that carries <see cref="Hash"/>.</summary>
    public const string HashMark = "// SHA-256 of the sources: ";

    /// <summary>Every module that the device can be asked for: each file of kernels in both precisions (tensor cores have floats, batches and slices doubles), and matrices of floats read in doubles.</summary>
    public static IEnumerable<GpuModule> Modules
    {
        get
        {
            foreach (GpuProgram program in Enum.GetValues<GpuProgram>())
            {
                if (program is not (GpuProgram.Batch or GpuProgram.Sliced))
                    yield return new(program, GpuReal.Single, GpuReal.Single, GpuReal.Double);
                if (program is not (GpuProgram.Tensor or GpuProgram.TensorHeads))
                    yield return new(program, GpuReal.Double, GpuReal.Double, GpuReal.Double);
            }
            yield return new(GpuProgram.Matrix, GpuReal.Double, GpuReal.Single, GpuReal.Double);
        }
    }

    /// <summary>The PTX of a module, closed by a zero byte as the driver wants it.</summary>
    public static byte[] Read(GpuModule module)
    {
        string name = $"ptx/{module.Name}.ptx";
        using Stream stream =
            typeof(PtxSource).Assembly.GetManifestResourceStream(name)
            ?? throw new System.Diagnostics.UnreachableException($"no PTX in '{name}'");
        byte[] text = new byte[stream.Length + 1];
        stream.ReadExactly(text.AsSpan(0, text.Length - 1));
        return text;
    }

    /// <summary>Hash of all that a module's PTX depends on but the compiler: flags, defines, and the sources with unix line ends.</summary>
    public static string Hash(GpuModule module) =>
        Convert.ToHexStringLower(
            SHA256.HashData(
                Encoding.UTF8.GetBytes(
                    string.Join('\n', Flags, module.Defines, GpuSource.Read("cuda_compat.h"), GpuSource.Read(module.File))
                        .ReplaceLineEndings("\n")
                )
            )
        );
}
